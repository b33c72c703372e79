{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['organization_id', 'month', 'domain', 'measure', 'visibility'],
    pre_hook='{{ delete_changed_months() }}',
    post_hook='{{ forget_former_rows() }}',
    meta={'load_of': 'fact_tasks'}
) }}

with breaches as (
    select
        breaches.*,
        {{ first_of_month('breaches.day') }} as month
    from {{ ref('report_sla_breaches') }} as breaches
    {{ join_changed_months('breaches') }}
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

chosen as (
    {{ chosen_targets('domains') }}
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
        target_percent,
        min_count,
        cast(decided_count as integer) as decided_count,
        cast(met_count as integer) as met_count,
        {{ target_status('met_count', 'decided_count', 'target_percent', 'min_count') }} as status
    from targeted
)

select * from final
