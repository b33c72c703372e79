{#- What a task counts as in the monthly trends. -#}

{#- The tasks with the group and months that they count in, from the CTEs `facts`, `dimensions`, `cases` and `span`. -#}
{% macro trend_tasks(facts='facts', dimensions='dimensions', cases='cases') -%}
{%- set case_date = 'case when cases.location is not null then ' ~ utc_date('cases.opened_at') ~ ' end' -%}
    select
        facts.organization_id,
        facts.task_id,
        dimensions.label_base,
        dimensions.label_category,
        {{ key_text('dimensions.type') }} as domain,
        cases.location,
        facts.severity,
        facts.visibility,
        -- A task and the case that its location comes from leave raw retention by their own dates.
        {{ least_filled(['facts.created_date_key', case_date]) }} as oldest_date,
        {{ first_of_month('facts.created_date_key') }} as opened_month,
        {{ first_of_month('facts.closed_date_key') }} as closed_month,
        {{ first_of_month(utc_date('dimensions.deadline_at')) }} as deadline_month,
        {{ deadline_outcome('dimensions.closed_at', 'dimensions.deadline_at', utc_midnight('span.until')) }} as deadline_outcome,
        facts.time_to_first_response_seconds,
        facts.time_to_completion_seconds
    from {{ facts }} as facts
    left join {{ dimensions }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    cross join span
    -- Like a task, a case out of raw retention is ignored, whether or not it is purged yet.
    left join {{ cases }} as cases
        on
            dimensions.case_id = cases.case_id
            and dimensions.organization_id = cases.organization_id
            and cases.opened_at >= {{ utc_midnight('span.cutoff') }}
            -- Decision D183: a location is as confidential as its case.
            and {{ visibility_rank('cases.visibility') }} <= {{ visibility_rank('facts.visibility') }}
    where facts.created_date_key >= span.cutoff
{%- endmacro %}

{#- What tasks add to the months that are computed, in a form that is equal for two versions of a task that add the same. -#}
{% macro trend_shares(tasks) -%}
{%- set first_waiting = greatest_filled(['tasks.opened_month', first_of_month('span.first_day')]) -%}
{%- set is_waiting = first_waiting ~ ' < ' ~ least_filled(['tasks.closed_month', 'span.until']) -%}
    select
        tasks.organization_id,
        tasks.task_id,
        tasks.label_base,
        tasks.label_category,
        tasks.domain,
        tasks.location,
        tasks.severity,
        tasks.visibility,
        tasks.oldest_date,
        shares.*
    from {{ tasks }} as tasks
    cross join span
    cross join lateral (
        select
            case when {{ is_trend_month('tasks.opened_month') }} then tasks.opened_month end as opened_month,
            case when {{ is_trend_month('tasks.opened_month') }} then tasks.time_to_first_response_seconds end as response_seconds,
            case when {{ is_trend_month('tasks.closed_month') }} then tasks.closed_month end as closed_month,
            case when {{ is_trend_month('tasks.closed_month') }} then tasks.time_to_completion_seconds end as completion_seconds,
            case when {{ is_trend_month('tasks.deadline_month') }} then tasks.deadline_month end as deadline_month,
            {{ is_trend_month('tasks.deadline_month') }} and tasks.deadline_outcome = 'missed' as is_missed,
            -- The months in the backlog.
            case when {{ is_waiting }} then {{ first_waiting }} end as waiting_from,
            case when {{ is_waiting }} then {{ least_filled(['tasks.closed_month', 'span.until']) }} end as waiting_until
    ) as shares
    where coalesce(shares.opened_month, shares.closed_month, shares.deadline_month) is not null or shares.waiting_from is not null
{%- endmacro %}

{#- Whether a month is computed: it has ended and is within retention. From the CTE `span`. -#}
{% macro is_trend_month(month) -%}
    coalesce({{ month }} >= span.first_day and {{ month }} < span.until, false)
{%- endmacro %}
