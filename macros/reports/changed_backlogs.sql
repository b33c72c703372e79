{#- pre-hook: keeps the subjects to count again as pg_temp.changed_backlogs until the transaction ends. The subject that a task has left, or
    that lost it to a purge or to the cutoff, is found by comparing how many tasks were opened, by sums over their days. -#}
{% macro keep_changed_backlogs() %}
    {%- set stored = stored_backlog() -%}
    {%- if not stored %}{{ return('') }}{% endif -%}
    create temporary table changed_backlogs on commit drop as
    select
        tasks.organization_id,
        {{ backlog_domain('tasks') }} as domain,
        tasks.severity,
        tasks.visibility
    from {{ ref('dim_tasks') }} as tasks
    where tasks.loaded_at >= '{{ stored.logged_at }}'
    union
    select
        tasks.organization_id,
        {{ backlog_domain('tasks') }} as domain,
        tasks.severity,
        tasks.visibility
    from {{ ref('fact_task_statuses') }} as statuses
    inner join {{ ref('dim_tasks') }} as tasks
        on statuses.task_id = tasks.task_id and statuses.organization_id = tasks.organization_id
    where statuses.loaded_at >= '{{ stored.logged_at }}'
    union
    (
        select {{ backlog_subject() | join(', ') }}
        from (
            select
                tasks.organization_id,
                {{ backlog_domain('tasks') }} as domain,
                tasks.severity,
                tasks.visibility,
                {{ utc_date('tasks.created_at') }} as day,
                1 as opened_count
            from {{ ref('dim_tasks') }} as tasks
            cross join ({{ latest_load('fact_tasks') }}) as load
            where tasks.created_at >= load.cutoff and tasks.created_at < load.horizon
            union all
            select
                {{ backlog_subject() | join(', ') }},
                day,
                - opened_count as opened_count
            from {{ stored.relation }} as former
            where opened_count > 0
        ) as openings
        group by {{ backlog_subject() | join(', ') }}
        having sum(opened_count) <> 0 or sum(opened_count * (day - date '2000-01-01')) <> 0
    );
    analyze pg_temp.changed_backlogs
{% endmacro %}

{#- Whether a row belongs to a subject that is counted again. -#}
{% macro is_changed_backlog(row, stored) -%}
    {%- if not stored %}{{ return('true') }}{% endif -%}
    ({{ row }}.{{ backlog_subject() | join(', ' ~ row ~ '.') }})
        in (select changed.{{ backlog_subject() | join(', changed.') }} from pg_temp.changed_backlogs as changed)
{%- endmacro %}
