-- As many tasks are open on the last day of the backlog as dim_tasks has, by subject and band of age; and on each day on which a status
-- begins that was written since the test last passed, the backlog of its subject changes by as many as the statuses say. A report older
-- than the facts is checked after its next load. The planner knows how many tasks are open, because the dates are literals.
{%- set load = former_load('fact_tasks') %}
{%- set written_after = unchecked_range('fact_task_statuses').written_after %}
{%- set checks_all = written_after == '-infinity' %}
with tasks as {{ cte_inlined() }} (
    select
        dimensions.organization_id,
        dimensions.task_id,
        {{ backlog_domain('dimensions') }} as domain,
        dimensions.severity,
        dimensions.visibility,
        dimensions.created_at,
        dimensions.closed_at
    from {{ ref('dim_tasks') }} as dimensions
    where dimensions.created_at >= {{ moment_of(load.cutoff) }} and dimensions.created_at < {{ moment_of(load.horizon) }}
),

statuses as {{ cte_inlined() }} (
    select * from {{ ref('fact_task_statuses') }}
    where started_date_key < {{ utc_date(moment_of(load.horizon)) }}
),
{% if not checks_all %}
unchecked as (
    select distinct
        tasks.organization_id,
        tasks.domain,
        tasks.severity,
        tasks.visibility,
        statuses.started_date_key as day
    from statuses
    inner join tasks on statuses.task_id = tasks.task_id and statuses.organization_id = tasks.organization_id
    where statuses.loaded_at > {{ moment_of(written_after) }}
),
{% endif %}
-- A status counts one more if it is open, and one less if the status before it was.
changes as (
    select
        tasks.organization_id,
        tasks.visibility,
        statuses.started_date_key as day,
        cast(not statuses.is_closed as integer) - cast(coalesce(not former.is_closed, false) as integer) as task_count
    from statuses
    inner join tasks on statuses.task_id = tasks.task_id and statuses.organization_id = tasks.organization_id
    left join statuses as former
        on
            statuses.task_id = former.task_id
            and statuses.organization_id = former.organization_id
            and statuses.status_number = former.status_number + 1
    {%- if not checks_all %}
    inner join unchecked
        on
            tasks.organization_id = unchecked.organization_id
            and tasks.domain = unchecked.domain
            and tasks.severity = unchecked.severity
            and tasks.visibility = unchecked.visibility
            and statuses.started_date_key = unchecked.day
    -- Found by the index on both, once for all subjects.
    where
        (statuses.organization_id, statuses.started_date_key) in (
            select
                days.organization_id,
                days.day
            from unchecked as days
        )
    {%- endif %}
),

-- A span begins on its first day and ends after its last; each end is looked up by an index.
counted as (
    {%- for day, step in [('report.first_day', '1'), ('report.last_day + 1', '-1')] %}
    select
        report.organization_id,
        report.visibility,
        {{ day }} as day,
        {{ step }} * report.open_count as task_count
    from {{ ref('report_task_backlog') }} as report
    {%- if not checks_all %}
    inner join unchecked
        on
            report.organization_id = unchecked.organization_id
            and report.domain = unchecked.domain
            and report.severity = unchecked.severity
            and report.visibility = unchecked.visibility
            and {{ 'report.first_day = unchecked.day' if loop.first else 'report.last_day = unchecked.day - 1' }}
    {%- endif %}
    where {{ day }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counts as (
    select
        tasks.organization_id,
        tasks.visibility,
        tasks.domain,
        tasks.severity,
        bands.min_age_days,
        cast(null as date) as day,
        count(*) as task_count
    from tasks
    inner join (
        values
        {%- for name, first, last in age_bands() %}
        ({{ first }}, {{ last }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as bands (min_age_days, max_age_days)
        on
            {{ utc_date(moment_of(load.horizon)) }} - 1 - {{ utc_date('tasks.created_at') }}
            between bands.min_age_days and bands.max_age_days
    where tasks.closed_at is null or tasks.closed_at >= {{ moment_of(load.horizon) }}
    group by tasks.organization_id, tasks.visibility, tasks.domain, tasks.severity, bands.min_age_days
    union all
    select
        organization_id,
        visibility,
        domain,
        severity,
        min_age_days,
        cast(null as date) as day,
        -1 * open_count as task_count
    from {{ ref('report_task_backlog') }}
    where last_day is null
    union all
    select
        organization_id,
        visibility,
        null as domain,
        null as severity,
        null as min_age_days,
        day,
        task_count
    from changes
    union all
    select
        organization_id,
        visibility,
        null as domain,
        null as severity,
        null as min_age_days,
        day,
        -1 * task_count as task_count
    from counted
),

wrong_counts as (
    select
        organization_id,
        visibility
    from counts
    group by organization_id, visibility, domain, severity, min_age_days, day
    having sum(task_count) <> 0
)

select
    organization_id,
    visibility,
    count(*) as wrong_count
from wrong_counts
where {{ is_of_newest_facts("'report_task_backlog'") }}
group by organization_id, visibility
