{{ config(materialized='table', post_hook='analyze {{ this }}') }}
{%- set group = trend_group() | join(', ') %}
{%- set kinds = ['closed', 'backlog', 'deadline'] %}
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
        time_to_first_response_seconds as seconds,
        null as outcome
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        closed_month as month,
        'closed' as kind,
        time_to_completion_seconds as seconds,
        null as outcome
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        deadline_month as month,
        'deadline' as kind,
        null as seconds,
        deadline_outcome as outcome
    from tasks
    union all
    select
        {{ group }},
        created_date_key,
        cast(backlog.month as date) as month,
        'backlog' as kind,
        null as seconds,
        null as outcome
    from tasks
    cross join span
    cross join lateral generate_series(
        cast(greatest(tasks.opened_month, {{ first_of_month('span.first_day') }}) as timestamp),
        least(cast(tasks.closed_month as timestamp), cast(span.until as timestamp)) - interval '1 month',
        interval '1 month'
    ) as backlog (month)
),
{% if stored %}
-- What a month of an organization counts of tasks that are out of raw retention by now. Without them it would be too low, so it stays.
settled as (
    select
        stored.organization_id,
        stored.month,
        {%- for kind in kinds %}
        coalesce(min(stored.{{ kind }}_oldest_date) < min(span.cutoff), false) as {{ kind }}_is_settled{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ stored }} as stored
    cross join span
    where stored.month >= span.first_day
    group by stored.organization_id, stored.month
),
{% endif %}
measured as (
    select
        month,
        {{ group }},
        count(*) filter (where kind = 'opened') as opened,
        count(*) filter (where kind = 'closed') as closed,
        count(*) filter (where kind = 'backlog') as backlog,
        {%- for name, fraction in {'median': 0.5, 'p90': 0.9}.items() %}
        percentile_cont({{ fraction }}) within group (order by seconds) filter (
            where kind = 'opened'
        ) as {{ name }}_first_response_seconds,
        percentile_cont({{ fraction }}) within group (order by seconds) filter (
            where kind = 'closed'
        ) as {{ name }}_completion_seconds,
        {%- endfor %}
        count(*) filter (where kind = 'deadline') as deadline_count,
        count(*) filter (where outcome = 'missed') as missed_count,
        {%- for kind in kinds %}
        min(created_date_key) filter (where kind = '{{ kind }}') as {{ kind }}_oldest_date{{ ',' if not loop.last }}
        {%- endfor %}
    from counted
    cross join span
    {%- if stored %}
    left join settled using (organization_id, month)
    {%- endif %}
    where
        month >= first_day
        and month < until
    {%- if stored %}
        and not case kind
            {%- for kind in kinds %}
            when '{{ kind }}' then coalesce({{ kind }}_is_settled, false)
            {%- endfor %}
            else false
        end
    {%- endif %}
    group by month, {{ group }}
    {%- if stored %}
    union all
    select
        month,
        {{ group }},
        0 as opened,
        case when closed_is_settled then closed end as closed,
        case when backlog_is_settled then backlog end as backlog,
        null as median_first_response_seconds,
        case when closed_is_settled then median_completion_seconds end as median_completion_seconds,
        null as p90_first_response_seconds,
        case when closed_is_settled then p90_completion_seconds end as p90_completion_seconds,
        case when deadline_is_settled then deadline_count end as deadline_count,
        case when deadline_is_settled then missed_count end as missed_count,
        {%- for kind in kinds %}
        case when {{ kind }}_is_settled then {{ kind }}_oldest_date end as {{ kind }}_oldest_date{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ stored }} as stored
    inner join settled using (organization_id, month)
    {%- endif %}
),

final as (
    select
        cast(md5(cast(jsonb_build_array(month, {{ group }}) as text)) as uuid) as trend_id,
        month,
        {{ group }},
        {%- for count in ['opened', 'closed', 'backlog'] %}
        cast(coalesce(sum({{ count }}), 0) as integer) as {{ count }},
        {%- endfor %}
        -- Between whole seconds the median lies at halves and the 90th percentile at tenths.
        {%- for measure in ['first_response', 'completion'] %}
        {%- for name in ['median', 'p90'] %}
        cast(max({{ name }}_{{ measure }}_seconds) as numeric(12, 1)) as {{ name }}_{{ measure }}_seconds,
        {%- endfor %}
        {%- endfor %}
        cast(coalesce(sum(deadline_count), 0) as integer) as deadline_count,
        cast(coalesce(sum(missed_count), 0) as integer) as missed_count,
        cast(round(sum(missed_count) / nullif(sum(deadline_count), 0), 4) as numeric(5, 4)) as missed_share,
        {%- for kind in kinds %}
        min({{ kind }}_oldest_date) as {{ kind }}_oldest_date{{ ',' if not loop.last }}
        {%- endfor %}
    from measured
    group by month, {{ group }}
    having sum(opened) + coalesce(sum(closed), 0) + coalesce(sum(backlog), 0) + coalesce(sum(deadline_count), 0) > 0
)

select * from final
