{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'status_id'],
    pre_hook=[
        "{{ keep_former_statuses() }}", "{{ delete_moved_rows(ref('int_task_statuses')) }}", "{{ delete_lost_statuses() }}"
    ],
    indexes=[
        {'columns': ['task_id', 'organization_id']},
        {'columns': ['organization_id', 'started_date_key']},
        {'columns': ['loaded_at']}
    ],
    meta={'delta': 'int_task_lifecycle'}
) }}
{{- guard_history() }}

with statuses as (
    select * from {{ ref('int_task_statuses') }}
    {{ statuses_without_events() }}
),

final as (
    select
        status_id,
        organization_id,
        task_id,
        status_number,
        status,
        is_closed,
        coalesce(is_reopening, false) as is_reopening,
        ended_at is null as is_current,
        started_at,
        ended_at,
        {{ utc_date('started_at') }} as started_date_key,
        {{ utc_date('ended_at') }} as ended_date_key,
        {{ seconds_between('started_at', 'ended_at') }} as duration_seconds,
        {{ hours(seconds_between('started_at', 'ended_at')) }} as duration_hours,
        visibility
    from statuses
)

{{ only_changed('final') }}
