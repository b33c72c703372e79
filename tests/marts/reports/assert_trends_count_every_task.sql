-- The recomputed months count every task within raw retention: by organization and month, as many are opened, closed and due as in
-- the facts and their dimension, in each organization whose trends were written since the test last passed. Counts that include tasks or
-- cases out of retention (*_oldest_date is before the cutoff) are not compared, and a report older than the facts is checked after its
-- next load.
with span as (
    {{ trend_span() }}
),

-- Days are counted before months: there are fewer of them than tasks.
days as (
    select
        facts.organization_id,
        'opened' as measure,
        facts.created_date_key as happened_on,
        count(*) as task_count
    from {{ ref('fact_tasks') }} as facts
    cross join span
    where facts.created_date_key >= span.cutoff and {{ is_unchecked_organization('report_monthly_trends', 'facts.organization_id') }}
    group by facts.organization_id, facts.created_date_key
    union all
    select
        facts.organization_id,
        'closed' as measure,
        facts.closed_date_key as happened_on,
        count(*) as task_count
    from {{ ref('fact_tasks') }} as facts
    cross join span
    where facts.created_date_key >= span.cutoff and {{ is_unchecked_organization('report_monthly_trends', 'facts.organization_id') }}
    group by facts.organization_id, facts.closed_date_key
    union all
    select
        dimensions.organization_id,
        'due' as measure,
        {{ utc_date('dimensions.deadline_at') }} as happened_on,
        count(*) as task_count
    from {{ ref('dim_tasks') }} as dimensions
    cross join span
    where
        dimensions.created_at >= {{ utc_midnight('span.cutoff') }}
        and {{ is_unchecked_organization('report_monthly_trends', 'dimensions.organization_id') }}
    group by dimensions.organization_id, {{ utc_date('dimensions.deadline_at') }}
),

expected as (
    select
        days.organization_id,
        {{ first_of_month('days.happened_on') }} as month,
        days.measure,
        sum(days.task_count) as task_count
    from days
    cross join span
    where {{ first_of_month('days.happened_on') }} >= span.first_day and days.happened_on < span.until
    group by days.organization_id, {{ first_of_month('days.happened_on') }}, days.measure
),

months as (
    select
        organization_id,
        month,
        sum(opened) as opened,
        sum(closed) as closed,
        sum(deadline_count) as due,
        min(opened_oldest_date) as opened_oldest_date,
        min(closed_oldest_date) as closed_oldest_date,
        min(deadline_oldest_date) as deadline_oldest_date
    from {{ ref('report_monthly_trends') }}
    where {{ is_unchecked_organization('report_monthly_trends', 'organization_id') }}
    group by organization_id, month
),

recomputed as (
    select
        months.organization_id,
        months.month,
        measures.measure,
        measures.task_count,
        measures.oldest_date
    from months
    cross join span
    cross join {{ lateral() }} {{ rows_beside('measures', ['measure', 'task_count', 'oldest_date'], [
        ["'opened'", 'months.opened', 'months.opened_oldest_date'],
        ["'closed'", 'months.closed', 'months.closed_oldest_date'],
        ["'due'", 'months.due', 'months.deadline_oldest_date'],
    ]) }}
    where months.month >= span.first_day
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
    and {{ is_of_newest_facts("'report_monthly_trends'", 'int_monthly_trends') }}
