{{ config(unique_key=['day', 'organization_id', 'domain', 'visibility'], meta={'load_of': 'fact_tasks'}) }}

with tasks as (
    select * from {{ ref('int_task_outcomes') }}
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
        cast(count(*) as integer) as task_count,
        cast(count(is_reactivity_breach) as integer) as reactivity_decided,
        cast(count(*) filter (where is_reactivity_breach) as integer) as reactivity_breaches,
        cast(count(is_completion_breach) as integer) as completion_decided,
        cast(count(*) filter (where is_completion_breach) as integer) as completion_breaches
    from tasks
    group by created_date_key, organization_id, domain, visibility, profile_code, reactivity_seconds, max_escalation_seconds
)

select * from final
