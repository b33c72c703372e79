{{ config(materialized='incremental', incremental_strategy='merge', unique_key='date_key') }}

with all_days as (
    select cast(series.day as date) as date_key
    from {{ days_between(utc_time(calendar_start()), utc_time(calendar_end()), 'series', 'day') }}
),

days as (
    select date_key from all_days
    {%- if compared_columns() and not is_shown() %}
    -- A stored day never changes (decision D299).
    where
        not exists (
            select 1 from {{ this }} as former
            where all_days.date_key = former.date_key
        )
    {%- endif %}
),

final as (
    select
        date_key,
        cast(extract(year from date_key) as integer) as year,
        cast(extract(quarter from date_key) as integer) as quarter,
        cast(extract(month from date_key) as integer) as month,
        {{ month_name('date_key') }} as month_name,
        {{ iso_part('week', 'date_key') }} as week_of_year,
        {{ iso_part('isoyear', 'date_key') }} as iso_year,
        {{ iso_week('date_key') }} as iso_week,
        cast({{ start_of('week', 'cast(date_key as timestamp)') }} as date) as week_start,
        cast({{ start_of('month', 'cast(date_key as timestamp)') }} as date) as month_start,
        {{ iso_part('isodow', 'date_key') }} as day_of_week,
        {{ day_name('date_key') }} as day_name,
        {{ iso_part('isodow', 'date_key') }} in (6, 7) as is_weekend
    from days
)

select * from final
