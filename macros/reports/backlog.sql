{#- The load whose facts int_task_backlog counts. Unit tests override it, since an overridden latest_load would reach data tests of the same run. -#}
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

{#- pre-hook of the report: deletes the rows that no task is in any more, in the transaction that writes the others. -#}
{% macro delete_vanished_backlogs() %}
    {% if is_incremental() %}
    delete from {{ this }} as former
    using {{ ref('int_task_backlog') }} as vanished
    where
        vanished.is_vanished
        {%- for column in key_columns() %}
        and former.{{ column }} = vanished.{{ column }}
        {%- endfor %}
    {% endif %}
{% endmacro %}

{#- Joins, as `former`, the stored row of a row of the CTE `differences`; nothing in a first build. A load that continues the backlog looks the few
    rows up that are stored already: the planner expects many more, and would read the whole report. -#}
{% macro join_former_backlog(stored) -%}
    {%- set is_same -%}
        {%- for column in backlog_subject() + ['day', 'min_age_days'] -%}
        {{ ' and ' if not loop.first }}differences.{{ column }} = stored.{{ column }}
        {%- endfor -%}
    {%- endset -%}
    {%- if stored and stored.is_known -%}
    left join lateral (
        select
            stored.open_count,
            stored.opened_count
        from {{ stored.relation }} as stored
        where differences.day < date '{{ stored.until }}' and {{ is_same }}
        limit 1
    ) as former on true
    {%- elif stored -%}
    left join {{ stored.relation }} as former on {{ is_same | replace('stored.', 'former.') }}
    {%- endif -%}
{%- endmacro %}

{#- Whether a row is of a task that counts otherwise than in the stored backlog; every row is where all tasks are counted. -#}
{% macro is_backlog_task(row, stored) -%}
    {%- if not stored or not stored.is_known %}{{ return('true') }}{% endif -%}
    ({{ row }}.task_id, {{ row }}.organization_id) in (select changed.task_id, changed.organization_id from pg_temp.backlog_tasks as changed)
{%- endmacro %}

{#- The times in which such tasks were open when the stored backlog was counted: organization_id, task_id, started_at, ended_at. -#}
{% macro former_open_times(since) -%}
    select
        changed.organization_id,
        changed.task_id,
        times.started_at,
        times.ended_at
    from pg_temp.backlog_tasks as changed
    left join lateral (
        select
            former_rows.id,
            former_rows.contents
        from {{ source('insights_ops', 'former_rows') }} as former_rows
        where
            former_rows.relation_name = 'fact_task_statuses'
            and former_rows.organization_id = changed.organization_id
            and former_rows.id = changed.task_id
            and former_rows.replaced_at >= '{{ since }}'
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
        from jsonb_to_recordset(kept.contents) as contents (started_at timestamptz, ended_at timestamptz)
    ) as times
{%- endmacro %}
