{{ config(materialized='table', post_hook='analyze {{ this }}') }}
{%- set group = trend_group() | join(', ') %}
{%- set stored = stored_trends() %}

with facts as (
    select * from {{ ref('fact_tasks') }}
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
        facts.organization_id,
        dimensions.label_base,
        dimensions.label_category,
        dimensions.type as domain,
        cases.location,
        facts.severity,
        -- A location is as confidential as the case that it is of.
        {{ visibility_of_rank(
            'greatest(' ~ visibility_rank('facts.visibility')
            ~ ', case when cases.location is not null then ' ~ visibility_rank('cases.visibility') ~ ' end)'
        ) }} as visibility,
        facts.created_date_key,
        {{ first_of_month('facts.created_date_key') }} as opened_month,
        {{ first_of_month('facts.closed_date_key') }} as closed_month,
        {{ first_of_month(utc_date('dimensions.deadline_at')) }} as deadline_month,
        {{ deadline_outcome('dimensions.closed_at', 'dimensions.deadline_at', utc_midnight('span.until')) }} as deadline_outcome,
        facts.time_to_first_response_seconds,
        facts.time_to_completion_seconds
    from facts
    left join dimensions on facts.task_id = dimensions.task_id
    left join cases on dimensions.case_id = cases.case_id
    cross join span
    where facts.created_date_key >= span.cutoff
),

-- Each month that counts a task, and as what.
counted as (
    select
        {{ group }},
        created_date_key,
        opened_month as month,
        'opened' as kind,
        time_to_first_response_seconds as seconds
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        closed_month as month,
        'closed' as kind,
        time_to_completion_seconds as seconds
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        deadline_month as month,
        deadline_outcome as kind,
        null as seconds
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        cast(backlog.month as date) as month,
        'backlog' as kind,
        null as seconds
    from tasks
    cross join span
    cross join lateral generate_series(
        cast(greatest(tasks.opened_month, {{ first_of_month('span.first_day') }}) as timestamp),
        least(cast(tasks.closed_month as timestamp), cast(span.until as timestamp)) - interval '1 month',
        interval '1 month'
    ) as backlog (month)
),
{% if stored %}
-- Months of an organization that have counted a task which is out of raw retention by now. A count without it would be too low, so
-- what they say of closings, backlog and deadlines stays.
settled as (
    select
        stored.organization_id,
        stored.month
    from {{ stored }} as stored
    cross join span
    where stored.month >= span.first_day
    group by stored.organization_id, stored.month
    having min(stored.oldest_task_date) < min(span.cutoff)
),
{% endif %}
measured as (
    select
        counted.month,
        {{ group }},
        count(*) filter (where counted.kind = 'opened') as opened,
        count(*) filter (where counted.kind = 'closed') as closed,
        count(*) filter (where counted.kind = 'backlog') as backlog,
        {%- for measure, kind in {'first_response': 'opened', 'completion': 'closed'}.items() %}
        {%- for name, fraction in {'median': 0.5, 'p90': 0.9}.items() %}
        percentile_cont({{ fraction }}) within group (order by counted.seconds)
            filter (where counted.kind = '{{ kind }}') as {{ name }}_{{ measure }}_seconds,
        {%- endfor %}
        {%- endfor %}
        count(*) filter (where counted.kind in ('kept', 'missed')) as deadline_count,
        count(*) filter (where counted.kind = 'missed') as missed_count,
        min(counted.created_date_key) filter (where counted.kind <> 'opened') as oldest_task_date
    from counted
    cross join span
    where
        counted.month >= span.first_day
        and counted.month < span.until
    {% if stored %}
        and (
            counted.kind = 'opened'
            or (counted.organization_id, counted.month) not in (select settled.organization_id, settled.month from settled)
        )
    {% endif %}
    group by counted.month, {{ group }}
    {% if stored %}
    union all
    select
        stored.month,
        {{ group }},
        0 as opened,
        stored.closed,
        stored.backlog,
        null as median_first_response_seconds,
        null as p90_first_response_seconds,
        stored.median_completion_seconds,
        stored.p90_completion_seconds,
        stored.deadline_count,
        stored.missed_count,
        stored.oldest_task_date
    from {{ stored }} as stored
    inner join settled using (organization_id, month)
    where stored.oldest_task_date is not null
    {% endif %}
),

final as (
    select
        cast(md5(cast(jsonb_build_array(month, {{ group }}) as text)) as uuid) as trend_id,
        month,
        {{ group }},
        cast(sum(opened) as integer) as opened,
        cast(sum(closed) as integer) as closed,
        cast(sum(backlog) as integer) as backlog,
        max(median_first_response_seconds) as median_first_response_seconds,
        max(p90_first_response_seconds) as p90_first_response_seconds,
        max(median_completion_seconds) as median_completion_seconds,
        max(p90_completion_seconds) as p90_completion_seconds,
        cast(sum(deadline_count) as integer) as deadline_count,
        cast(sum(missed_count) as integer) as missed_count,
        cast(round(sum(missed_count) / nullif(sum(deadline_count), 0), 4) as numeric(5, 4)) as missed_share,
        min(oldest_task_date) as oldest_task_date
    from measured
    group by month, {{ group }}
)

select * from final
