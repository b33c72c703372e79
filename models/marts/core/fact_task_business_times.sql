{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'task_id'],
    pre_hook="{{ delete_foreign_business_times('fact_tasks', 'task_id', 'task_id') }}",
    indexes=[{'columns': ['organization_id', 'calendar_version']}, {'columns': ['loaded_at']}],
    meta={'load_of': 'fact_tasks'}
) }}
{{- guard_history() }}

with tasks as (
    select
        facts.organization_id,
        facts.task_id,
        facts.created_date_key,
        facts.time_to_first_response_seconds,
        facts.time_to_completion_seconds,
        facts.visibility,
        dimensions.created_at,
        calendars.calendar,
        calendars.timezone,
        calendars.calendar_version
    from ({{ facts_of_changed_calendars('task_id', ['fact_tasks', 'dim_tasks']) }}) as changed
    inner join {{ ref('int_business_calendars') }} as calendars on changed.organization_id = calendars.organization_id
    inner join {{ ref('fact_tasks') }} as facts
        on changed.task_id = facts.task_id and changed.organization_id = facts.organization_id
    inner join {{ ref('dim_tasks') }} as dimensions
        on changed.task_id = dimensions.task_id and changed.organization_id = dimensions.organization_id
),

load as (
    {{ latest_load('fact_tasks') }}
),

begun as (
    select
        tasks.*,
        {{ open_seconds('tasks', 'tasks.created_at') }} as open_before
    from tasks
    {{ computed_once() }}
),

counted as (
    select
        begun.*,
        {{ business_seconds('begun', 'begun.created_at', 'begun.time_to_first_response_seconds', 'load.horizon', 'begun.open_before') }}
            as business_seconds_to_first_response,
        {{ business_seconds('begun', 'begun.created_at', 'begun.time_to_completion_seconds', 'load.horizon', 'begun.open_before') }}
            as business_seconds_to_completion
    from begun
    cross join load
    {{ computed_once() }}
),

final as (
    select
        organization_id,
        task_id,
        created_date_key,
        calendar,
        timezone,
        calendar_version,
        business_seconds_to_first_response,
        {{ hours('business_seconds_to_first_response') }} as business_hours_to_first_response,
        business_seconds_to_completion,
        {{ hours('business_seconds_to_completion') }} as business_hours_to_completion,
        visibility
    from counted
)

{{ only_changed('final') }}
