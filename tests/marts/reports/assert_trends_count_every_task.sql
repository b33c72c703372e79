-- The recomputed months count every task within raw retention: by organization and month, as many are opened, closed and due as in
-- the facts and their dimension. Counts that include tasks or cases out of retention (*_oldest_date is before the cutoff) are not
-- compared, and a report older than the facts is checked after its next load.
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
    left join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    cross join span
    where facts.created_date_key >= span.cutoff
),

days as (
    select
        organization_id,
        'opened' as measure,
        opened_on as happened_on
    from facts
    union all
    select
        organization_id,
        'closed' as measure,
        closed_on as happened_on
    from facts
    union all
    select
        organization_id,
        'due' as measure,
        due_on as happened_on
    from facts
),

expected as (
    select
        days.organization_id,
        {{ first_of_month('days.happened_on') }} as month,
        days.measure,
        count(*) as task_count
    from days
    cross join span
    where {{ first_of_month('days.happened_on') }} >= span.first_day and days.happened_on < span.until
    group by days.organization_id, {{ first_of_month('days.happened_on') }}, days.measure
),

reported as (
    select
        organization_id,
        month,
        'opened' as measure,
        sum(opened) as task_count,
        min(opened_oldest_date) as oldest_date
    from {{ ref('report_monthly_trends') }}
    group by organization_id, month
    union all
    select
        organization_id,
        month,
        'closed' as measure,
        sum(closed) as task_count,
        min(closed_oldest_date) as oldest_date
    from {{ ref('report_monthly_trends') }}
    group by organization_id, month
    union all
    select
        organization_id,
        month,
        'due' as measure,
        sum(deadline_count) as task_count,
        min(deadline_oldest_date) as oldest_date
    from {{ ref('report_monthly_trends') }}
    group by organization_id, month
),

recomputed as (
    select reported.*
    from reported
    cross join span
    where reported.month >= span.first_day
)

select
    coalesce(expected.organization_id, recomputed.organization_id) as organization_id,
    coalesce(expected.month, recomputed.month) as month,
    coalesce(expected.measure, recomputed.measure) as measure,
    expected.task_count as expected_count,
    recomputed.task_count as reported_count
from expected
full outer join recomputed
    on
        expected.organization_id = recomputed.organization_id
        and expected.month = recomputed.month
        and expected.measure = recomputed.measure
cross join span
where
    coalesce(expected.task_count, 0) <> coalesce(recomputed.task_count, 0)
    and coalesce(recomputed.oldest_date >= span.cutoff, true)
    and {{ is_of_newest_facts("'report_monthly_trends'") }}
