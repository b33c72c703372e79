-- The last day of the backlog has as many tasks as are open, by organization and visibility. On each day of an organization whose tasks
-- were written since the test last passed, as many were opened as fact_tasks has. A report older than the facts is checked after its
-- next load. The planner knows how many tasks are open, or closed after the horizon, because the dates are literals.
{%- set load = former_load('fact_tasks') %}
{%- set horizon = utc_date("timestamptz '" ~ load.horizon ~ "'") %}
with open_tasks as (
    select
        organization_id,
        visibility
    from {{ ref('dim_tasks') }}
    where
        (closed_at is null or closed_at >= '{{ load.horizon }}')
        and created_at >= '{{ load.cutoff }}'
        and created_at < '{{ load.horizon }}'
),

opened as (
    select
        facts.organization_id,
        facts.visibility,
        facts.created_date_key as day,
        count(*) as task_count
    from {{ ref('fact_tasks') }} as facts
    {{ join_unchecked_days('fact_tasks', 'facts', 'created_date_key') }}
    where
        facts.created_date_key >= {{ utc_date("timestamptz '" ~ load.cutoff ~ "'") }}
        and facts.created_date_key < {{ horizon }}
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
        -1 * report.open_count as task_count
    from {{ ref('report_task_backlog') }} as report
    where report.day = {{ horizon }} - 1
    union all
    select
        report.organization_id,
        report.visibility,
        report.day,
        -1 * report.opened_count as task_count
    from {{ ref('report_task_backlog') }} as report
    {{ join_unchecked_days('fact_tasks', 'report', 'day') }}
    where report.opened_count > 0
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
