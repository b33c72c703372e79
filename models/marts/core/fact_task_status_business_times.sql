{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'status_id'],
    pre_hook="{{ delete_foreign_business_times('fact_task_statuses', 'status_id', 'task_id') }}",
    indexes=[
        {'columns': ['task_id', 'organization_id']},
        {'columns': ['organization_id', 'calendar_version']},
        {'columns': ['loaded_at']}
    ],
    meta={'load_of': 'fact_task_statuses'}
) }}
{{- guard_history() }}

with statuses as (
    select
        facts.organization_id,
        facts.status_id,
        facts.task_id,
        facts.started_at,
        facts.started_date_key,
        facts.duration_seconds,
        facts.visibility,
        calendars.calendar,
        calendars.timezone,
        calendars.calendar_version
    from ({{ facts_of_changed_calendars('status_id', ['fact_task_statuses']) }}) as changed
    inner join {{ ref('int_business_calendars') }} as calendars on changed.organization_id = calendars.organization_id
    inner join {{ ref('fact_task_statuses') }} as facts
        on changed.status_id = facts.status_id and changed.organization_id = facts.organization_id
),

load as (
    {{ latest_load('fact_task_statuses') }}
),

counted as (
    select
        statuses.*,
        {{ business_seconds('statuses', 'statuses.started_at', 'statuses.duration_seconds', 'load.horizon') }} as business_seconds
    from statuses
    cross join load
    {{ computed_once() }}
),

final as (
    select
        organization_id,
        status_id,
        task_id,
        started_date_key,
        calendar,
        timezone,
        calendar_version,
        business_seconds,
        {{ hours('business_seconds') }} as business_hours,
        visibility
    from counted
)

{{ only_changed('final') }}
