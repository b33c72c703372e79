{#- A select of the tasks that changed since the last load, or whose inputs changed; a task found by several arms appears once. `window` is
    the result of load_window. -#}
{% macro changed_tasks(window) -%}
    {%- set since = moment_of(window.loaded_from) -%}
    {%- set unchanged = unchanged_sources(window) -%}
    select task_id from {{ ref('stg_tasks') }}
    where updated_at >= {{ since }}
    union distinct
    select task_id from {{ ref('stg_task_events') }}
    where created_at >= {{ since }}
    union distinct
    select task_id from {{ ref('stg_task_comments') }}
    where updated_at >= {{ since }}
    union distinct
    select tasks.task_id
    from {{ ref('stg_tasks') }} as tasks
    inner join {{ ref('stg_person_profiles') }} as persons on tasks.requester_person_id = persons.person_id
    where persons.updated_at >= {{ since }}
    union distinct
    -- A case that moved to another organization; a foreign case is not stored.
    select tasks.task_id
    from {{ ref('stg_tasks') }} as tasks
    inner join {{ ref('stg_cases') }} as cases on tasks.case_id = cases.case_id
    inner join {{ stored_mart('dim_tasks') }} as former
        on tasks.task_id = former.task_id and tasks.organization_id = former.organization_id
    where
        {{ happened_since('cases.updated_at', since) }}
        and (former.case_id is null) <> {{ is_foreign('tasks', 'cases') }}
    {%- if 'cases' not in unchanged %}
    union distinct
    -- A reference that the source cleared (on delete set null), which changes no updated_at: a case has fewer tasks. The tasks of cases are
    -- counted first, because indexes answer that (decision D198).
    select tasks.task_id
    from (
        select case_id
        from (
            select
                case_id,
                count(*) as task_count
            from {{ stored_mart('dim_tasks') }} as stored_tasks
            where case_id is not null
            group by case_id
            union all
            select
                case_id,
                - count(*) as task_count
            from {{ ref('stg_tasks') }}
            where case_id is not null
            group by case_id
        ) as counts
        group by case_id
        having {{ few('sum(task_count) > 0') }}
    ) as smaller
    inner join {{ stored_mart('dim_tasks') }} as former on smaller.case_id = former.case_id
    inner join {{ ref('stg_tasks') }} as tasks
        on former.task_id = tasks.task_id and former.organization_id = tasks.organization_id
    where tasks.case_id is null
    {%- endif %}
    {%- if 'person_profiles' not in unchanged %}
    union distinct
    select tasks.task_id
    from {{ ref('stg_tasks') }} as tasks
    inner join ({{ stored_sensitive_tasks() }}) as former
        on tasks.task_id = former.task_id and tasks.organization_id = former.organization_id
    where tasks.requester_person_id is null and not former.is_flagged
    {%- endif %}
    union distinct
    {{ late_tasks(window, unchanged) }}
{%- endmacro %}
