{{ config(unique_key='date_key') }}

with days as (
    select cast(day as date) as date_key
    from generate_series(
        {{ calendar_start() }} at time zone 'UTC', {{ calendar_end() }} at time zone 'UTC', interval '1 day'
    ) as series (day)
),

final as (
    select
        date_key,
        cast(extract(year from date_key) as integer) as year,
        cast(extract(quarter from date_key) as integer) as quarter,
        cast(extract(month from date_key) as integer) as month,
        {{ month_name('date_key') }} as month_name,
        cast(extract(week from date_key) as integer) as week_of_year,
        cast(extract(isoyear from date_key) as integer) as iso_year,
        {{ iso_week('date_key') }} as iso_week,
        cast(date_trunc('week', cast(date_key as timestamp)) as date) as week_start,
        cast(date_trunc('month', cast(date_key as timestamp)) as date) as month_start,
        cast(extract(isodow from date_key) as integer) as day_of_week,
        {{ day_name('date_key') }} as day_name,
        extract(isodow from date_key) in (6, 7) as is_weekend
    from days
)

select * from final
