{{ config(
    materialized='table',
    pre_hook='{{ keep_changed_backlogs() }}',
    post_hook='analyze {{ this }}'
) }}
{%- set stored = stored_backlog() %}
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

dimensions as (
    select
        tasks.organization_id,
        tasks.task_id,
        {{ backlog_domain('tasks') }} as domain,
        tasks.severity,
        tasks.visibility,
        tasks.closed_at,
        {{ utc_date('tasks.created_at') }} as created_on
    from {{ ref('dim_tasks') }} as tasks
    cross join load
    where tasks.created_at >= load.cutoff and tasks.created_at < load.horizon
),

judged as (
    select
        *,
        {{ is_changed_backlog('dimensions', stored) }} as is_changed
    from dimensions
),

-- Of subjects that have not changed, only tasks that may be open on a day that the report lacks.
tasks as (
    select * from judged
    {%- if stored %}
    where is_changed or closed_at is null or closed_at >= {{ utc_midnight("date '" ~ stored.until ~ "'") }}
    {%- endif %}
),

-- The days at whose end a task was open in a status; of subjects that have not changed, only days that the report lacks.
open_spans as (
    select
        tasks.*,
        greatest(
            {{ utc_date('statuses.started_at') }},
            case when not tasks.is_changed then {{ "date '" ~ stored.until ~ "'" if stored else 'span.cutoff' }} end
        ) as first_day,
        least({{ utc_date('statuses.ended_at') }}, span.end_day) - 1 as last_day
    from tasks
    inner join {{ ref('fact_task_statuses') }} as statuses
        on tasks.task_id = statuses.task_id and tasks.organization_id = statuses.organization_id
    cross join span
    where not statuses.is_closed
),

banded as (
    select
        spans.organization_id,
        spans.domain,
        spans.severity,
        spans.visibility,
        bands.min_age_days,
        greatest(spans.first_day, spans.created_on + bands.min_age_days) as first_day,
        least(spans.last_day, spans.created_on + bands.max_age_days) as last_day
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
            1 as step
        from banded
        union all
        select
            {{ subject }},
            min_age_days,
            last_day + 1 as day,
            -1 as step
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
    where open_count > 0
    union all
    select
        {{ subject }},
        0 as min_age_days,
        created_on as day,
        0 as open_count,
        1 as opened_count
    from tasks
    where is_changed
),

final as (
    select
        {{ subject }},
        day,
        case min_age_days
            {%- for name, least, most in age_bands() %}
            when {{ least }} then '{{ name }}'
            {%- endfor %}
        end as age_band,
        min_age_days,
        cast(sum(open_count) as integer) as open_count,
        cast(sum(opened_count) as integer) as opened_count,
        false as is_vanished
    from counted
    group by {{ subject }}, day, min_age_days
)

select * from final
{% if stored %}
union all
select
    {{ subject }},
    day,
    age_band,
    min_age_days,
    open_count,
    opened_count,
    true as is_vanished
from {{ stored.relation }} as former
where
    {{ is_changed_backlog('former', stored) }}
    and not exists (
        select 1
        from final
        where
            {% for column in backlog_subject() + ['day', 'age_band'] -%}
            {{ 'and ' if not loop.first }}final.{{ column }} = former.{{ column }}
            {% endfor -%}
    )
{%- endif %}
