{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['organization_id', 'day', 'domain', 'visibility'],
    pre_hook=["{{ delete_changed_days(also=days_of_changed_outcomes()) }}", "{{ keep_changed_months() }}"],
    post_hook='{{ forget_former_rows() }}',
    indexes=[{'columns': ['organization_id', 'domain']}],
    meta={'load_of': 'fact_tasks'}
) }}

with tasks as (
    select outcomes.*
    from {{ ref('int_task_outcomes') }} as outcomes
    {{ join_changed_days('outcomes') }}
    {{ computed_once() }}
),

final as (
    select
        created_date_key as day,
        organization_id,
        domain,
        visibility,
        profile_code,
        reactivity_seconds,
        max_escalation_seconds,
        limits_in,
        cast(count(*) as integer) as task_count,
        cast(count(is_reactivity_breach) as integer) as reactivity_decided,
        cast(count(case when is_reactivity_breach then 1 end) as integer) as reactivity_breaches,
        cast(count(is_completion_breach) as integer) as completion_decided,
        cast(count(case when is_completion_breach then 1 end) as integer) as completion_breaches,
        cast(count(case when deadline_outcome = 'kept' then 1 end) as integer) as kept_count,
        cast(count(case when deadline_outcome = 'missed' then 1 end) as integer) as missed_count,
        cast(count(case when deadline_outcome = 'undecided' then 1 end) as integer) as undecided_count,
        cast(count(case when deadline_outcome is null then 1 end) as integer) as without_deadline_count
    from tasks
    group by created_date_key, organization_id, domain, visibility, profile_code, reactivity_seconds, max_escalation_seconds, limits_in
)

select * from final
