-- The last day of the backlog has as many tasks as are open, by organization and visibility. On each day of an organization whose tasks were
-- written since the test last passed, as many were opened as fact_tasks has. A report older than the facts is checked after its next load.
with load as (
    {{ latest_load('fact_tasks') }}
),

-- Tasks that are closed after the horizon are few, and an index has the others.
open_tasks as (
    select
        organization_id,
        visibility
    from {{ ref('dim_tasks') }}
    where closed_at is null and created_at >= (select load.cutoff from load) and created_at < (select load.horizon from load)
    union all
    select
        organization_id,
        visibility
    from {{ ref('dim_tasks') }}
    where
        closed_at >= (select load.horizon from load)
        and created_at >= (select load.cutoff from load)
        and created_at < (select load.horizon from load)
),

opened as (
    select
        facts.organization_id,
        facts.visibility,
        facts.created_date_key as day,
        count(*) as task_count
    from {{ ref('fact_tasks') }} as facts
    {{ join_unchecked_days('fact_tasks', 'facts', 'created_date_key') }}
    cross join load
    where facts.created_date_key >= {{ utc_date('load.cutoff') }} and facts.created_date_key < {{ utc_date('load.horizon') }}
    group by facts.organization_id, facts.visibility, facts.created_date_key
),

counts as (
    select
        organization_id,
        visibility,
        cast(null as date) as day,
        count(*) as task_count
    from open_tasks
    group by organization_id, visibility
    union all
    select
        organization_id,
        visibility,
        day,
        task_count
    from opened
    union all
    select
        report.organization_id,
        report.visibility,
        cast(null as date) as day,
        - report.open_count as task_count
    from {{ ref('report_task_backlog') }} as report
    where report.day = (select {{ utc_date('load.horizon') }} - 1 from load)
    union all
    select
        report.organization_id,
        report.visibility,
        report.day,
        - report.opened_count as task_count
    from {{ ref('report_task_backlog') }} as report
    {{ join_unchecked_days('fact_tasks', 'report', 'day') }}
    cross join load
    where report.opened_count > 0 and report.day >= {{ utc_date('load.cutoff') }}
),

wrong_days as (
    select
        organization_id,
        visibility,
        day
    from counts
    group by organization_id, visibility, day
    having sum(task_count) <> 0
)

select
    organization_id,
    visibility,
    count(*) as day_count
from wrong_days
where {{ is_of_newest_facts("'report_task_backlog'", 'int_task_backlog') }}
group by organization_id, visibility
