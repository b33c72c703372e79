{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['organization_id', 'day', 'status', 'type', 'priority', 'severity', 'visibility'],
    pre_hook="{{ delete_changed_days() }}",
    post_hook='{{ forget_former_rows() }}',
    meta={'load_of': 'fact_tasks'}
) }}

with tasks as (
    select
        facts.organization_id,
        facts.created_date_key,
        facts.current_status,
        {{ key_text('dimensions.type') }} as type,
        facts.priority,
        facts.severity,
        facts.visibility
    from {{ ref('fact_tasks') }} as facts
    left join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    {{ join_changed_days('facts') }}
),

final as (
    select
        created_date_key as day,
        organization_id,
        current_status as status,
        type,
        priority,
        severity,
        visibility,
        cast(count(*) as integer) as task_count
    from tasks
    group by created_date_key, organization_id, current_status, type, priority, severity, visibility
)

select * from final
