{#- What a watermark cannot see: rows that arrived with an old date or an old updated_at. Stored counts and keys show them (decision D140). -#}

{#- A select of task_id: tasks with more events or comments in the source than in fact_tasks, and tasks that were never loaded. `window`
    is the result of load_window, `unchanged` that of unchanged_sources. Unit tests override it. -#}
{% macro late_tasks(window, unchanged) -%}
    {%- set stored = stored_or_none('fact_tasks') -%}
    {%- set horizon = utc_midnight("date '" ~ window.horizon ~ "'") -%}
    {%- set no_tasks = 'select cast(null as ' ~ type_of('uuid') ~ ') as task_id from (select 1 as one) as nothing where false' -%}
    {%- if not stored -%}{{ return(no_tasks) }}{%- endif -%}
    {%- set is_event -%}
        counted_rows.organization_id = suspects.organization_id
        and counted_rows.event_type in ({{ enum_tokens('task_event_type') }})
        and counted_rows.created_at >= {{ calendar_start() }} and counted_rows.created_at < {{ horizon }}
    {%- endset -%}
    {%- set arms = [] -%}
    {%- if 'task_events' not in unchanged -%}
        {%- do arms.append(tasks_with_more_rows(stored, ref('stg_task_events'), 'event_count', is_event)) -%}
    {%- endif -%}
    {%- if 'task_comments' not in unchanged -%}
        {%- do arms.append(tasks_with_more_rows(stored, ref('stg_task_comments'), 'comment_count', 'counted_rows.created_at < ' ~ horizon)) -%}
    {%- endif -%}
    {#- A task is rejected, and not loaded, while its organization is unknown. -#}
    {%- if 'tasks' not in unchanged or 'organizations' not in unchanged -%}
        {%- do arms.append(tasks_never_loaded(stored, window)) -%}
    {%- endif -%}
    {{ (arms or [no_tasks]) | join('\n    union distinct\n    ') }}
{%- endmacro %}

{#- Tasks that were never loaded. Their ids are compared first, because indexes answer that (decision D198). Rows out of retention are not
    loaded again, so they would be found by every load. -#}
{% macro tasks_never_loaded(stored, window) -%}
    select tasks.task_id
    from (
        select known.task_id
        from {{ ref('stg_tasks') }} as known
        where not exists (select 1 from {{ stored }} as former where former.task_id = known.task_id)
    ) as unknown
    inner join {{ ref('stg_tasks') }} as tasks on unknown.task_id = tasks.task_id
    where
        tasks.created_at >= {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
        and tasks.created_at < {{ utc_midnight("date '" ~ window.horizon ~ "'") }}
{%- endmacro %}

{#- The tasks of `stored` that have more rows in `relation` than the column `counted` says, of those that meet `condition`. All rows of a
    task are counted first, because the index on task_id alone answers that (decision D169); only where there are more, those that meet
    the condition are. -#}
{% macro tasks_with_more_rows(stored, relation, counted, condition) -%}
    select recounted.task_id
    from (
        select
            suspects.task_id,
            suspects.stored_count,
            count(*) as row_count
        from (
            select
                former.task_id,
                former.organization_id,
                former.{{ counted }} as stored_count
            from {{ stored }} as former
            inner join (
                select
                    task_id,
                    count(*) as row_count
                from {{ relation }}
                group by task_id
            ) as counts on former.task_id = counts.task_id
            where {{ few('former.' ~ counted ~ ' < counts.row_count') }}
        ) as suspects
        inner join {{ relation }} as counted_rows on suspects.task_id = counted_rows.task_id
        where {{ condition }}
        group by suspects.task_id, suspects.stored_count
    ) as recounted
    where recounted.stored_count < recounted.row_count
{%- endmacro %}
