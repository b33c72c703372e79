{#- The backlog counts where the number of a subject and band of age changes: a task adds one on the first day at whose end it is open and as
    old as the band, and takes one away on the first day at whose end it no longer is. -#}

{#- The load whose facts report_task_backlog counts. Unit tests override it, since an overridden latest_load would reach data tests of the same run. -#}
{% macro load_of_backlog() -%}
    {{ latest_load('fact_tasks') }}
{%- endmacro %}

{#- The bands of age in days: the name, the first and the last day of age. -#}
{% macro age_bands() -%}
    {{- return([('0-1', 0, 1), ('2-7', 2, 7), ('8-30', 8, 30), ('over 30', 31, 99999)]) -}}
{%- endmacro %}

{#- The columns of a subject. -#}
{% macro backlog_subject() -%}
    {{- return(['organization_id', 'domain', 'severity', 'visibility']) -}}
{%- endmacro %}

{#- The domain of a task in the backlog, where it is part of a key that is never NULL. -#}
{% macro backlog_domain(dimensions) -%}
    coalesce({{ key_text(dimensions ~ '.type') }}, '')
{%- endmacro %}

{#- The name of the band of age that begins with a number of days. -#}
{% macro age_band(min_age_days) -%}
    case {{ min_age_days }}{% for name, first, last in age_bands() %} when {{ first }} then '{{ name }}'{% endfor %} end
{%- endmacro %}

{#- A select of the spans in which open_count does not change, from the CTE `subjects` and a relation of steps, one for each subject, band and day. -#}
{% macro backlog_spans(steps) -%}
    {%- set in_order = 'partition by subject_id, min_age_days order by day' %}
    select
        {% for column in backlog_subject() %}subjects.{{ column }}, {% endfor %}
        {{ age_band('runs.min_age_days') }} as age_band,
        runs.first_day,
        runs.last_day,
        runs.min_age_days,
        cast(runs.open_count as integer) as open_count
    from (
        select
            subject_id,
            min_age_days,
            day as first_day,
            lead(day) over ({{ in_order }}) - 1 as last_day,
            sum(step) over ({{ in_order }}) as open_count
        from {{ steps }}
    ) as runs
    inner join subjects on runs.subject_id = subjects.subject_id
    where runs.open_count <> 0
{%- endmacro %}

{#- The times in which the changed tasks were open when the stored backlog was counted: organization_id, task_id, started_at, ended_at. -#}
{% macro former_open_times(since) -%}
    select
        changed.organization_id,
        changed.task_id,
        times.started_at,
        times.ended_at
    from {{ temporary('backlog_tasks') }} as changed
    left join lateral (
        select
            former_rows.id,
            former_rows.contents
        from {{ source('insights_ops', 'former_rows') }} as former_rows
        where
            former_rows.relation_name = 'fact_task_statuses'
            and former_rows.organization_id = changed.organization_id
            and former_rows.id = changed.task_id
            and former_rows.replaced_at >= {{ moment_of(since) }}
        order by former_rows.replaced_at
        limit 1
    ) as kept on true
    cross join lateral (
        select
            statuses.started_at,
            statuses.ended_at
        from {{ ref('fact_task_statuses') }} as statuses
        where
            kept.id is null
            and not statuses.is_closed
            and statuses.task_id = changed.task_id
            and statuses.organization_id = changed.organization_id
        union all
        select
            contents.started_at,
            contents.ended_at
        from {{ rows_of_json('kept.contents', {'started_at': 'timestamptz', 'ended_at': 'timestamptz'}) }} as contents
    ) as times
{%- endmacro %}
