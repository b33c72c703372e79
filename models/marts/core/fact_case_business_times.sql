{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'case_id'],
    pre_hook="{{ delete_foreign_business_times('fact_cases', 'case_id', 'case_id') }}",
    indexes=[{'columns': ['organization_id', 'calendar_version']}, {'columns': ['loaded_at']}],
    meta={'load_of': 'fact_cases'}
) }}
{{- guard_history() }}

with cases as (
    select
        facts.organization_id,
        facts.case_id,
        facts.opened_date_key,
        facts.time_to_close_seconds,
        facts.visibility,
        dimensions.opened_at,
        calendars.calendar,
        calendars.timezone,
        calendars.calendar_version
    from ({{ facts_of_changed_calendars('case_id', ['fact_cases', 'dim_cases']) }}) as changed
    inner join {{ ref('int_business_calendars') }} as calendars on changed.organization_id = calendars.organization_id
    inner join {{ ref('fact_cases') }} as facts
        on changed.case_id = facts.case_id and changed.organization_id = facts.organization_id
    inner join {{ ref('dim_cases') }} as dimensions
        on changed.case_id = dimensions.case_id and changed.organization_id = dimensions.organization_id
),

load as (
    {{ latest_load('fact_cases') }}
),

counted as (
    select
        cases.*,
        {{ business_seconds('cases', 'cases.opened_at', 'cases.time_to_close_seconds', 'load.horizon') }} as business_seconds_to_close
    from cases
    cross join load
    {{ computed_once() }}
),

final as (
    select
        organization_id,
        case_id,
        opened_date_key,
        calendar,
        timezone,
        calendar_version,
        business_seconds_to_close,
        {{ hours('business_seconds_to_close') }} as business_hours_to_close,
        visibility
    from counted
)

{{ only_changed('final') }}
