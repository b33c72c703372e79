{{ config(unique_key=['organization_id', 'month', 'domain', 'measure', 'visibility'], meta={'load_of': 'fact_tasks'}) }}

with organizations as (
    select * from {{ ref('int_organization_profiles') }}
),

targets as (
    select * from {{ ref('targets') }}
),

months as (
    select
        organization_id,
        cast(date_trunc('month', cast(day as timestamp)) as date) as month,
        domain,
        visibility,
        sum(kept_count) as kept_count,
        sum(kept_count + missed_count) as deadline_count,
        sum(reactivity_decided - reactivity_breaches) as responded_count,
        sum(reactivity_decided) as response_count,
        sum(completion_decided - completion_breaches) as completed_count,
        sum(completion_decided) as completion_count
    from {{ ref('report_sla_breaches') }}
    group by organization_id, date_trunc('month', cast(day as timestamp)), domain, visibility
),

-- The line of the organization counts before that of the domain, and both before those for all.
targeted as (
    select distinct on (months.organization_id, months.month, months.domain, months.visibility, measured.measure)
        months.organization_id,
        months.month,
        months.domain,
        months.visibility,
        measured.measure,
        targets.target_percent,
        targets.min_count,
        measured.decided_count,
        measured.met_count
    from months
    inner join organizations on months.organization_id = organizations.organization_id
    cross join lateral (
        values
        ('kept_deadlines', months.deadline_count, months.kept_count),
        ('responses_within_limit', months.response_count, months.responded_count),
        ('completions_within_limit', months.completion_count, months.completed_count)
    ) as measured (measure, decided_count, met_count)
    inner join targets
        on
            measured.measure = targets.measure
            and targets.organization_slug in (organizations.slug, '*')
            and (targets.domain = months.domain or targets.domain = '*')
    order by
        months.organization_id,
        months.month,
        months.domain,
        months.visibility,
        measured.measure,
        targets.organization_slug = '*',
        targets.domain = '*'
),

final as (
    select
        organization_id,
        month,
        domain,
        measure,
        visibility,
        cast(target_percent as numeric(5, 2)) as target_percent,
        min_count,
        cast(decided_count as integer) as decided_count,
        cast(met_count as integer) as met_count,
        {{ target_status('met_count', 'decided_count', 'target_percent', 'min_count') }} as status
    from targeted
)

select * from final
