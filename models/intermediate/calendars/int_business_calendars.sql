{{ config(materialized='table', unique_key='organization_id') }}

with calendars as (
    select * from {{ ref('business_calendars') }}
),

organizations as (
    select * from {{ ref('stg_organizations') }}
),

hours as (
    select
        calendar,
        {{ listed(joined(' ', ['weekday', 'opens', 'closes']), ',', ['weekday', 'opens']) }} as rules
    from {{ ref('business_hours') }}
    group by calendar
),

holidays as (
    select
        calendar,
        {{ listed(joined(' ', ['day', 'opens', 'closes']), ',', ['day', 'opens']) }} as rules
    from {{ ref('business_holidays') }}
    group by calendar
),

final as (
    select
        organizations.organization_id,
        calendars.calendar,
        calendars.timezone,
        {{ md5_text(joined('|', ['calendars.timezone', 'calendars.calendar', 'hours.rules', 'holidays.rules'])) }} as calendar_version
    from calendars
    inner join organizations on calendars.organization_slug = organizations.slug
    left join hours on calendars.calendar = hours.calendar
    left join holidays on calendars.calendar = holidays.calendar
)

select * from final
