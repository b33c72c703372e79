-- The recomputed months count every task within raw retention: by organization and month, as many are opened, closed and due as the
-- facts and their dimension have. What a month holds of tasks that have left (its *_oldest_date is before the cutoff) is not
-- compared, and a report that is older than the facts waits for its own load.
with span as (
    {{ trend_span() }}
),

facts as (
    select
        facts.organization_id,
        facts.created_date_key as opened_on,
        facts.closed_date_key as closed_on,
        {{ utc_date('dimensions.deadline_at') }} as due_on
    from {{ ref('fact_tasks') }} as facts
    left join {{ ref('dim_tasks') }} as dimensions on facts.task_id = dimensions.task_id
    cross join span
    where facts.created_date_key >= span.cutoff
),

expected as (
    select
        facts.organization_id,
        {{ first_of_month('days.day') }} as month,
        days.measure,
        count(*) as task_count
    from facts
    cross join span
    cross join lateral (
        values ('opened', facts.opened_on), ('closed', facts.closed_on), ('due', facts.due_on)
    ) as days (measure, day)
    where {{ first_of_month('days.day') }} >= span.first_day and days.day < span.until
    group by facts.organization_id, {{ first_of_month('days.day') }}, days.measure
),

reported as (
    select
        organization_id,
        month,
        sum(opened) as opened,
        sum(closed) as closed,
        sum(deadline_count) as due,
        min(closed_oldest_date) as closed_oldest_date,
        min(deadline_oldest_date) as deadline_oldest_date
    from {{ ref('report_monthly_trends') }}
    group by organization_id, month
),

counted as (
    select
        reported.organization_id,
        reported.month,
        counts.measure,
        counts.task_count,
        counts.oldest_date
    from reported
    cross join span
    cross join lateral (
        values
        ('opened', reported.opened, cast(null as date)),
        ('closed', reported.closed, reported.closed_oldest_date),
        ('due', reported.due, reported.deadline_oldest_date)
    ) as counts (measure, task_count, oldest_date)
    where reported.month >= span.first_day
)
select
    organization_id,
    month,
    measure,
    expected.task_count as expected_count,
    counted.task_count as counted_count
from expected
full outer join counted using (organization_id, month, measure)
cross join span
where
    coalesce(expected.task_count, 0) <> coalesce(counted.task_count, 0)
    and coalesce(counted.oldest_date >= span.cutoff, true)
    and {{ is_of_newest_facts("'report_monthly_trends'") }}
