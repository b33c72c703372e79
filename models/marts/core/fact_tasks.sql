{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'task_id'],
    pre_hook=["{{ keep_former_rows(ref('int_task_lifecycle')) }}", "{{ delete_moved_rows(ref('int_task_lifecycle')) }}"],
    indexes=[
        {'columns': ['id'], 'unique': true},
        {'columns': ['organization_id', 'created_date_key']},
        {'columns': ['loaded_at']},
    ],
    meta={'delta': 'int_task_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_task_lifecycle') }}
),

reopenings as (
    select
        organization_id,
        task_id,
        count(*) as reopened_count,
        max(started_at) as last_reopened_at
    from {{ ref('int_task_statuses') }}
    where is_reopening
    group by organization_id, task_id
),

final as (
    select
        {{ hash_id('lifecycle.task_id') }} as id,
        lifecycle.task_id,
        lifecycle.organization_id,
        {{ utc_date('lifecycle.created_at') }} as created_date_key,
        {{ utc_date('lifecycle.closed_at') }} as closed_date_key,
        lifecycle.current_status,
        lifecycle.priority,
        lifecycle.severity,
        lifecycle.source,
        lifecycle.time_to_first_response_seconds,
        {{ hours('lifecycle.time_to_first_response_seconds') }} as time_to_first_response_hours,
        lifecycle.time_to_completion_seconds,
        {{ hours('lifecycle.time_to_completion_seconds') }} as time_to_completion_hours,
        lifecycle.escalation_count,
        lifecycle.comment_count,
        lifecycle.event_count,
        cast(coalesce(reopenings.reopened_count, 0) as integer) as reopened_count,
        reopenings.last_reopened_at,
        lifecycle.visibility
    from lifecycle
    left join reopenings
        on lifecycle.task_id = reopenings.task_id and lifecycle.organization_id = reopenings.organization_id
)

{{ only_changed('final') }}
