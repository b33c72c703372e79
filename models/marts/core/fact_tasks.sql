{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'task_id'],
    pre_hook=["{{ keep_former_rows(ref('int_task_lifecycle')) }}", "{{ delete_moved_rows(ref('int_task_lifecycle')) }}"],
    indexes=[{'columns': ['organization_id', 'created_date_key']}, {'columns': ['loaded_at']}],
    meta={'delta': 'int_task_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_task_lifecycle') }}
),

final as (
    select
        {{ hash_id('task_id') }} as id,
        task_id,
        organization_id,
        {{ utc_date('created_at') }} as created_date_key,
        {{ utc_date('closed_at') }} as closed_date_key,
        current_status,
        priority,
        severity,
        source,
        time_to_first_response_seconds,
        time_to_completion_seconds,
        escalation_count,
        comment_count,
        event_count,
        visibility
    from lifecycle
)

{{ only_changed('final') }}
