{{ config(
    materialized='table',
    unique_key=['calendar', 'timezone', 'opens_at'],
    indexes=[{'columns': ['calendar', 'timezone', 'open_seconds_before']}],
    meta={'feeds': ['fact_tasks']}
) }}
{%- set window = load_window() %}

-- All moments are UTC without a time zone, so that no arithmetic depends on a clock change; a local time is one of them plus an offset.
with
calendars as (
    select distinct
        calendar,
        timezone
    from {{ ref('int_business_calendars') }}
),

hours as (
    select * from {{ ref('business_hours') }}
),

holidays as (
    select * from {{ ref('business_holidays') }}
),

bounds as (
    select
        {% set first_day = least_filled([first_stored_day(), "date '" ~ window.cutoff ~ "'"]) %}
        {{ start_of('year', 'cast(' ~ first_day ~ ' as timestamp)') }} as starts_at,
        {{ end_of_calendars("date '" ~ window.horizon ~ "'") }} as ends_at
),

midnights as (
    select
        zones.timezone,
        series.starts_at,
        lead(series.starts_at) over (partition by zones.timezone order by series.starts_at) as ends_at,
        {{ utc_offset('series.starts_at', 'zones.timezone') }} as utc_offset,
        lead({{ utc_offset('series.starts_at', 'zones.timezone') }}) over (
            partition by zones.timezone order by series.starts_at
        ) as next_offset
    from (select distinct timezone from calendars) as zones
    cross join bounds
    cross join {{ lateral() }} {{ days_between('bounds.starts_at', 'bounds.ends_at', 'series', 'starts_at') }}
),

-- The minutes at which clocks change, on the UTC days that end with another offset than they began with.
changes as (
    select
        midnights.timezone,
        m.starts_at,
        {{ utc_offset('m.starts_at', 'midnights.timezone') }} as utc_offset
    from midnights
    cross join {{ lateral() }} {{ minutes_between(later('midnights.starts_at', 1, 'minute'), 'midnights.ends_at', 'm', 'starts_at') }}
    where
        midnights.utc_offset <> midnights.next_offset
        and {{ utc_offset('m.starts_at', 'midnights.timezone') }}
        <> {{ utc_offset(later('m.starts_at', -1, 'minute'), 'midnights.timezone') }}
),

offsets as (
    select
        midnights.timezone,
        midnights.starts_at,
        midnights.utc_offset
    from midnights
    inner join bounds on midnights.starts_at = bounds.starts_at
    union all
    select * from changes
),

-- Stretches of time in which clocks run without a change.
stretches as (
    select
        offsets.timezone,
        offsets.utc_offset,
        offsets.starts_at,
        lead(offsets.starts_at, 1, bounds.ends_at) over (partition by offsets.timezone order by offsets.starts_at) as ends_at
    from offsets
    cross join bounds
),

local_days as (
    select
        calendars.calendar,
        calendars.timezone,
        cast(series.day as date) as day
    from calendars
    cross join bounds
    cross join {{ lateral() }} {{ days_between(later('bounds.starts_at', -1, 'day'), later('bounds.ends_at', 1, 'day'), 'series', 'day') }}
),

local_hours as (
    select
        local_days.calendar,
        local_days.timezone,
        {{ at_time('local_days.day', 'hours.opens') }} as opens_at,
        {{ at_time('local_days.day', 'hours.closes') }} as closes_at
    from local_days
    inner join hours on local_days.calendar = hours.calendar and {{ day_name('local_days.day') }} = hours.weekday
    where
        not exists (
            select 1 from holidays
            where holidays.calendar = local_days.calendar and holidays.day = local_days.day
        )
    union all
    select
        local_days.calendar,
        local_days.timezone,
        {{ at_time('local_days.day', 'holidays.opens') }} as opens_at,
        {{ at_time('local_days.day', 'holidays.closes') }} as closes_at
    from local_days
    inner join holidays on local_days.calendar = holidays.calendar and local_days.day = holidays.day
    where holidays.opens is not null
),

-- Open is when clocks show a time of the hours: an hour that they show twice counts twice, one that they skip does not count.
opened as (
    select
        local_hours.calendar,
        local_hours.timezone,
        {{ greatest_filled([less_offset('local_hours.opens_at', 'stretches.utc_offset'), 'stretches.starts_at']) }} as opens_at,
        {{ least_filled([less_offset('local_hours.closes_at', 'stretches.utc_offset'), 'stretches.ends_at']) }} as closes_at
    from local_hours
    inner join stretches
        on
            local_hours.timezone = stretches.timezone
            and local_hours.opens_at < {{ plus_offset('stretches.ends_at', 'stretches.utc_offset') }}
            and local_hours.closes_at > {{ plus_offset('stretches.starts_at', 'stretches.utc_offset') }}
),

-- Hours that touch or overlap are one interval.
compared as (
    select
        *,
        opens_at > max(closes_at) over (
            partition by calendar, timezone order by opens_at, closes_at rows between unbounded preceding and 1 preceding
        ) as is_apart
    from opened
),

numbered as (
    select
        *,
        count(case when is_apart then 1 end) over (
            partition by calendar, timezone order by opens_at, closes_at rows between unbounded preceding and current row
        ) as interval_number
    from compared
),

merged as (
    select
        calendar,
        timezone,
        min(opens_at) as opens_at,
        max(closes_at) as closes_at
    from numbered
    group by calendar, timezone, interval_number
),

final as (
    select
        calendar,
        timezone,
        {{ in_utc('opens_at') }} as opens_at,
        {{ in_utc('closes_at') }} as closes_at,
        cast(
            coalesce(
                sum({{ elapsed_seconds('opens_at', 'closes_at') }}) over (
                    partition by calendar, timezone order by opens_at rows between unbounded preceding and 1 preceding
                ),
                0
            ) as bigint
        ) as open_seconds_before
    from merged
)

select * from final
