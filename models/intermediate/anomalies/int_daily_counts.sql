{{ config(materialized='table', unique_key=['organization_id', 'day']) }}
{%- set rules = var('anomalies') %}

with load as (
    {{ latest_load('fact_tasks') }}
),

days as (
    select
        {{ days_after(utc_date('load.horizon'), '-1 * cast(numbers.number as integer)') }} as day,
        numbers.number <= {{ rules.days }} as is_judged
    from load
    cross join {{ numbers_to(rules.days + 7 * rules.weeks, 'numbers', 'number') }}
),

counts as (
    select
        breaches.organization_id,
        breaches.day,
        sum(breaches.task_count) as task_count,
        sum(case when breaches.domain is null then breaches.task_count end) as without_domain_count,
        sum(breaches.without_deadline_count) as without_deadline_count
    from {{ ref('report_sla_breaches') }} as breaches
    inner join days on breaches.day = days.day
    group by breaches.organization_id, breaches.day
),

organizations as (
    select distinct organization_id from counts
),

-- A day without tasks counts as 0.
final as (
    select
        organizations.organization_id,
        days.day,
        days.is_judged,
        cast(coalesce(counts.task_count, 0) as integer) as task_count,
        cast(coalesce(counts.without_domain_count, 0) as integer) as without_domain_count,
        cast(coalesce(counts.without_deadline_count, 0) as integer) as without_deadline_count
    from organizations
    cross join days
    left join counts on organizations.organization_id = counts.organization_id and days.day = counts.day
)

select * from final
