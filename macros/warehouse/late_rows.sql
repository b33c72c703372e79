{#- What a watermark cannot see: rows that arrived with an old date or an old updated_at. Stored counts and keys show them (decision D140). -#}

{#- A select of task_id: tasks with more events or comments in the source than in fact_tasks, and tasks that were never loaded. `window`
    is the result of load_window. Unit tests override it. -#}
{% macro late_tasks(window) -%}
    {%- set stored = stored_or_none('fact_tasks') -%}
    {%- set horizon = utc_midnight("date '" ~ window.horizon ~ "'") -%}
    {%- if not stored -%}{{ return('select cast(null as uuid) as task_id where false') }}{%- endif %}
    select former.task_id
    from {{ stored }} as former
    inner join (
        select
            organization_id,
            task_id,
            count(*) as event_count,
            count(*) filter (where event_type = 'escalated') as escalation_count
        from {{ ref('stg_task_events') }}
        where event_type in ({{ enum_tokens('task_event_type') }}) and created_at >= {{ calendar_start() }} and created_at < {{ horizon }}
        group by organization_id, task_id
    ) as events on former.task_id = events.task_id and former.organization_id = events.organization_id
    where {{ few('former.event_count < events.event_count or former.escalation_count < events.escalation_count') }}
    union
    select former.task_id
    from {{ stored }} as former
    inner join (
        select
            task_id,
            count(*) as comment_count
        from {{ ref('stg_task_comments') }}
        where created_at < {{ horizon }}
        group by task_id
    ) as comments on former.task_id = comments.task_id
    where {{ few('former.comment_count < comments.comment_count') }}
    union
    select tasks.task_id
    from {{ ref('stg_tasks') }} as tasks
    left join {{ stored }} as former on tasks.task_id = former.task_id and tasks.organization_id = former.organization_id
    where {{ few('former.task_id is null') }}
{%- endmacro %}
