{{ config(
    materialized='table',
    pre_hook='{{ keep_changed_trends() }}',
    post_hook='{{ log_load() }}',
    meta={'load_of': 'fact_tasks'}
) }}
{#- The hash comes first, so that rows are sorted by one number and not by eight columns. -#}
{%- set group = (['group_hash'] + trend_group()) | join(', ') %}
{%- set stored = stored_trends() %}
{%- set since = trends_counted_at() %}

with facts as (
    select * from {{ ref('fact_tasks') }}
    where {{ is_changed_task(since) }}
),

dimensions as (
    select * from {{ ref('dim_tasks') }}
),

cases as (
    select * from {{ ref('dim_cases') }}
),

span as (
    {{ trend_span() }}
),

tasks as (
    select
        tasks.*,
        {{ trend_group_hash('tasks') }} as group_hash
    from ({{ trend_tasks() }}) as tasks
),

-- Months that ended while the task was open.
waiting as (
    select
        {{ group }},
        tasks.oldest_date,
        cast(backlog.month as date) as month
    from tasks
    cross join span
    cross join {{ lateral() }} {{ months_between(
        'cast(' ~ greatest_filled(['tasks.opened_month', first_of_month('span.first_day')]) ~ ' as timestamp)',
        later(least_filled(['cast(tasks.closed_month as timestamp)', 'cast(span.until as timestamp)']), -1, 'month'),
        'backlog', 'month'
    ) }}
),

-- Deadlines and backlog have no durations to sort, so their tasks are aggregated here already.
counted as (
    select
        {{ group }},
        opened_month as month,
        'opened' as kind,
        time_to_first_response_seconds as seconds,
        1 as task_count,
        0 as missed_count,
        oldest_date
    from tasks
    union all
    select
        {{ group }},
        closed_month as month,
        'closed' as kind,
        time_to_completion_seconds as seconds,
        1 as task_count,
        0 as missed_count,
        oldest_date
    from tasks
    where closed_month is not null
    union all
    select
        {{ group }},
        deadline_month as month,
        'deadline' as kind,
        null as seconds,
        count(*) as task_count,
        count(case when deadline_outcome = 'missed' then 1 end) as missed_count,
        min(oldest_date) as oldest_date
    from tasks
    where deadline_month is not null
    group by {{ group }}, deadline_month
    union all
    select
        {{ group }},
        month,
        'backlog' as kind,
        null as seconds,
        count(*) as task_count,
        0 as missed_count,
        min(oldest_date) as oldest_date
    from waiting
    group by {{ group }}, month
),
{% if stored %}
stored as (
    select trends.*
    from {{ stored }} as trends
    cross join span
    where
        trends.month >= span.first_day
        and {{ is_changed_organization('trends', since) }}
        and {{ is_changed_trend('trends', since) }}
),

-- Counts of months that include tasks, or locations of cases, that are out of raw retention by now. Recomputed without them, they
-- would be too low or lack locations, so the stored counts are kept.
settled as (
    {{ settled_counts(stored, since) }}
),

-- Few, so that the former counts of all others are not sorted.
partly_settled as (
    select * from stored
    where
        {{ is_among(['organization_id', 'month'], 'select settled.organization_id, settled.month from settled') }}
),

former as (
    {{ former_trends('partly_settled') }}
),
{% endif %}
recounted as (
    select
        counted.*,
        cast(null as {{ type_of('double precision') }}) as median_seconds,
        cast(null as {{ type_of('double precision') }}) as p90_seconds
    from counted
    cross join span
    {%- if stored %}
    left join settled on {{ is_same_count('counted', 'settled') }}
    {%- endif %}
    where
        counted.month >= span.first_day
        and counted.month < span.until
        and {{ 'settled.kind is null' if stored else 'true' }}
    {%- if stored %}
    union all
    select former.*
    from former
    inner join settled on {{ is_same_count('former', 'settled') }}
    {%- endif %}
),

-- One decimal is exact: the median of whole seconds lies at halves and their 90th percentile at tenths.
measured as (
    select
        month,
        {{ trend_group() | join(', ') }},
        {{ trend_count('opened') }} as opened,
        {{ trend_count('closed') }} as closed,
        {{ trend_count('backlog') }} as backlog,
        {{ trend_seconds('opened', 'median', stored) }} as median_first_response_seconds,
        {{ trend_seconds('opened', 'p90', stored) }} as p90_first_response_seconds,
        {{ trend_seconds('closed', 'median', stored) }} as median_completion_seconds,
        {{ trend_seconds('closed', 'p90', stored) }} as p90_completion_seconds,
        {{ trend_count('deadline') }} as deadline_count,
        cast(sum(missed_count) as integer) as missed_count,
        cast(
            {{ rounded_quotient('sum(missed_count)', "sum(case when kind = 'deadline' then task_count end)", 4) }}
            as {{ type_of('numeric(5, 4)') }}
        ) as missed_share,
        min(case when kind = 'opened' then oldest_date end) as opened_oldest_date,
        min(case when kind = 'closed' then oldest_date end) as closed_oldest_date,
        min(case when kind = 'backlog' then oldest_date end) as backlog_oldest_date,
        min(case when kind = 'deadline' then oldest_date end) as deadline_oldest_date
    from recounted
    group by {{ group }}, month
    having sum(task_count) > 0
),

final as (
    select
        {{ trend_id('measured') }} as trend_id,
        false as is_vanished,
        measured.*
    from measured
)

select * from final
{%- if stored %}
union all
-- Rows that no task is in any more.
select
    {{ trend_id('stored') }} as trend_id,
    true as is_vanished,
    month,
    {{ trend_group() | join(', ') }},
    opened,
    closed,
    backlog,
    {{ tenths('median_first_response_seconds') }} as median_first_response_seconds,
    {{ tenths('p90_first_response_seconds') }} as p90_first_response_seconds,
    {{ tenths('median_completion_seconds') }} as median_completion_seconds,
    {{ tenths('p90_completion_seconds') }} as p90_completion_seconds,
    deadline_count,
    missed_count,
    cast(null as {{ type_of('numeric(5, 4)') }}) as missed_share,
    opened_oldest_date,
    closed_oldest_date,
    backlog_oldest_date,
    deadline_oldest_date
from stored
where
    not exists (
        select 1 from final
        where
            final.month = stored.month
            and final.organization_id = stored.organization_id
            -- Only = can be hashed.
            and coalesce(final.label_base, -1) = coalesce(stored.label_base, -1)
            and coalesce(final.label_category, -1) = coalesce(stored.label_category, -1)
            and coalesce(final.domain, '') = coalesce(stored.domain, '')
            and coalesce(final.location, '') = coalesce(stored.location, '')
            and {{ same_row(columns_of('final', trend_group()), columns_of('stored', trend_group())) }}
    )
{%- endif %}
