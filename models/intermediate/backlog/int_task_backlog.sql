{{ config(
    materialized='table',
    pre_hook='{{ keep_backlog_tasks() }}',
    post_hook=['analyze {{ this }}', '{{ log_load() }}'],
    meta={'load_of': 'fact_tasks'}
) }}
{%- set stored = stored_backlog() %}
{%- set continues = stored and stored.is_known %}
{%- set subject = backlog_subject() | join(', ') %}

-- The load is that of the facts, so they are loaded first: depends_on {{ ref('fact_tasks') }}
with load as (
    {{ load_of_backlog() }}
),

span as (
    select
        {{ utc_date('cutoff') }} as cutoff,
        {{ utc_date('horizon') }} as end_day
    from load
),

tasks as (
    select
        dimensions.organization_id,
        dimensions.task_id,
        {{ backlog_domain('dimensions') }} as domain,
        dimensions.severity,
        dimensions.visibility,
        {{ utc_date('dimensions.created_at') }} as created_on
    from {{ ref('dim_tasks') }} as dimensions
    cross join load
    where
        dimensions.created_at >= load.cutoff
        and dimensions.created_at < load.horizon
        and {{ is_backlog_task('dimensions', stored) }}
),
{% if continues %}
former_dimensions as (
    {{ rows_as_of('dim_tasks', ref('dim_tasks'), 'task_id', stored.since, 'select * from pg_temp.backlog_tasks') }}
),

-- The same tasks as the stored backlog counts them.
former_tasks as (
    select
        organization_id,
        task_id,
        {{ backlog_domain('former_dimensions') }} as domain,
        severity,
        visibility,
        {{ utc_date('created_at') }} as created_on
    from former_dimensions
    where
        created_at >= {{ utc_midnight("date '" ~ stored.cutoff ~ "'") }}
        and created_at < {{ utc_midnight("date '" ~ stored.until ~ "'") }}
),
{% endif %}
-- The days at whose end tasks were open. What the stored backlog counts is taken away.
open_spans as (
    select
        tasks.*,
        {{ utc_date('statuses.started_at') }} as first_day,
        least({{ utc_date('statuses.ended_at') }}, span.end_day) - 1 as last_day,
        1 as task_count
    from tasks
    inner join {{ ref('fact_task_statuses') }} as statuses
        on tasks.task_id = statuses.task_id and tasks.organization_id = statuses.organization_id
    cross join span
    where not statuses.is_closed
    {%- if continues %}
    union all
    select
        former_tasks.*,
        {{ utc_date('times.started_at') }} as first_day,
        least({{ utc_date('times.ended_at') }}, date '{{ stored.until }}') - 1 as last_day,
        -1 as task_count
    from former_tasks
    inner join ({{ former_open_times(stored.since) }}) as times
        on former_tasks.task_id = times.task_id and former_tasks.organization_id = times.organization_id
    union all
    -- Open tasks that have not changed, on the days that the report lacks.
    select
        dimensions.organization_id,
        dimensions.task_id,
        {{ backlog_domain('dimensions') }} as domain,
        dimensions.severity,
        dimensions.visibility,
        {{ utc_date('dimensions.created_at') }} as created_on,
        date '{{ stored.until }}' as first_day,
        span.end_day - 1 as last_day,
        1 as task_count
    from {{ ref('dim_tasks') }} as dimensions
    cross join span
    where
        dimensions.closed_at is null
        and dimensions.created_at >= {{ utc_midnight('span.cutoff') }}
        and span.end_day > date '{{ stored.until }}'
        and not {{ is_backlog_task('dimensions', stored) }}
    {%- endif %}
),

banded as (
    select
        spans.organization_id,
        spans.domain,
        spans.severity,
        spans.visibility,
        bands.min_age_days,
        greatest(spans.first_day, spans.created_on + bands.min_age_days) as first_day,
        least(spans.last_day, spans.created_on + bands.max_age_days) as last_day,
        spans.task_count
    from open_spans as spans
    cross join (
        values
        {%- for name, least, most in age_bands() %}
        ({{ least }}, {{ most }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as bands (min_age_days, max_age_days)
    where
        spans.first_day <= spans.last_day
        and greatest(spans.first_day, spans.created_on + bands.min_age_days)
        <= least(spans.last_day, spans.created_on + bands.max_age_days)
),

-- Counted where the number changes, so that a task which is open for years costs two rows and not one for each day.
steps as (
    select
        {{ subject }},
        min_age_days,
        day,
        sum(step) as step
    from (
        select
            {{ subject }},
            min_age_days,
            first_day as day,
            task_count as step
        from banded
        union all
        select
            {{ subject }},
            min_age_days,
            last_day + 1 as day,
            -1 * task_count as step
        from banded
    ) as both_ends
    group by {{ subject }}, min_age_days, day
),

runs as (
    select
        *,
        sum(step) over (partition by {{ subject }}, min_age_days order by day) as open_count,
        lead(day) over (partition by {{ subject }}, min_age_days order by day) as next_day
    from steps
    where step <> 0
),

counted as (
    select
        {{ subject }},
        min_age_days,
        cast(series.day as date) as day,
        open_count,
        0 as opened_count
    from runs
    cross join
        lateral generate_series(
            cast(runs.day as timestamp), cast(runs.next_day - 1 as timestamp), interval '1 day'
        ) as series (day)
    where open_count <> 0
    union all
    select
        {{ subject }},
        0 as min_age_days,
        created_on as day,
        0 as open_count,
        1 as opened_count
    from tasks
    {%- if continues %}
    union all
    select
        {{ subject }},
        0 as min_age_days,
        created_on as day,
        0 as open_count,
        -1 as opened_count
    from former_tasks
    {%- elif stored %}
    union all
    select
        {{ subject }},
        min_age_days,
        day,
        -1 * open_count as open_count,
        -1 * opened_count as opened_count
    from {{ stored.relation }} as former
    {%- endif %}
),

differences as (
    select
        {{ subject }},
        day,
        min_age_days,
        sum(open_count) as open_count,
        sum(opened_count) as opened_count
    from counted
    group by {{ subject }}, day, min_age_days
    having sum(open_count) <> 0 or sum(opened_count) <> 0
),

final as (
    select
        {{ 'differences.' ~ subject | replace(', ', ', differences.') }},
        differences.day,
        case differences.min_age_days
            {%- for name, least, most in age_bands() %}
            when {{ least }} then '{{ name }}'
            {%- endfor %}
        end as age_band,
        differences.min_age_days,
        cast(differences.open_count{{ ' + coalesce(former.open_count, 0)' if stored }} as integer) as open_count,
        cast(differences.opened_count{{ ' + coalesce(former.opened_count, 0)' if stored }} as integer) as opened_count
    from differences
    {{ join_former_backlog(stored) }}
)

select
    *,
    open_count = 0 and opened_count = 0 as is_vanished
from final
