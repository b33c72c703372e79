{{ config(unique_key=['organization_id', 'month', 'domain', 'measure', 'visibility'], meta={'load_of': 'fact_tasks'}) }}

with organizations as (
    select * from {{ ref('int_organization_profiles') }}
),

targets as (
    select * from {{ ref('targets') }}
),

breaches as (
    select
        *,
        {{ first_of_month('day') }} as month
    from {{ ref('report_sla_breaches') }}
),

months as (
    select
        organization_id,
        month,
        domain,
        visibility,
        sum(kept_count) as kept_count,
        sum(kept_count + missed_count) as deadline_count,
        sum(reactivity_decided - reactivity_breaches) as responded_count,
        sum(reactivity_decided) as response_count,
        sum(completion_decided - completion_breaches) as completed_count,
        sum(completion_decided) as completion_count
    from breaches
    group by organization_id, month, domain, visibility
),

measures as (
    select
        months.organization_id,
        months.month,
        months.domain,
        months.visibility,
        measured.measure,
        measured.decided_count,
        measured.met_count
    from months
    cross join {{ lateral() }} {{ rows_beside('measured', ['measure', 'decided_count', 'met_count'], [
        ["'kept_deadlines'", 'months.deadline_count', 'months.kept_count'],
        ["'responses_within_limit'", 'months.response_count', 'months.responded_count'],
        ["'completions_within_limit'", 'months.completion_count', 'months.completed_count'],
    ]) }}
),

domains as (
    select distinct
        organization_id,
        domain
    from months
),

-- The line of the organization counts before that of the domain, and both before those for all.
chosen as (
    select {{ first_of(['domains.organization_id', 'domains.domain', 'targets.measure']) }}
        domains.organization_id,
        domains.domain,
        targets.measure,
        targets.target_percent,
        targets.min_count
    from domains
    inner join organizations on domains.organization_id = organizations.organization_id
    inner join targets
        on
            targets.organization_slug in (organizations.slug, '*')
            and (domains.domain = targets.domain or targets.domain = '*')
    where true -- BigQuery chooses rows beside another condition only.
    {{ in_order_of(
        ['domains.organization_id', 'domains.domain', 'targets.measure'],
        ["targets.organization_slug = '*'", "targets.domain = '*'"]
    ) }}
),

targeted as (
    select
        measures.*,
        chosen.target_percent,
        chosen.min_count
    from measures
    inner join chosen
        on
            measures.organization_id = chosen.organization_id
            and measures.measure = chosen.measure
            -- Only = can be hashed.
            and coalesce(measures.domain, '') = coalesce(chosen.domain, '')
            and measures.domain is not distinct from chosen.domain
),

final as (
    select
        organization_id,
        month,
        domain,
        measure,
        visibility,
        cast(target_percent as {{ type_of('numeric(5, 2)') }}) as target_percent,
        min_count,
        cast(decided_count as integer) as decided_count,
        cast(met_count as integer) as met_count,
        {{ target_status('met_count', 'decided_count', 'target_percent', 'min_count') }} as status
    from targeted
)

select * from final
