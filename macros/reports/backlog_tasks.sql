{#- A select of the tasks that a load of the backlog counts; it reads the CTE `span`. A load that continues the stored backlog counts the changed
    tasks only, each as it is now (`is_current`) and as it was counted before. -#}
{% macro backlog_tasks(stored) -%}
    select
        dimensions.organization_id,
        dimensions.task_id,
        {{ backlog_domain('dimensions') }} as domain,
        dimensions.severity,
        dimensions.visibility,
        {{ utc_date('dimensions.created_at') }} as created_on,
        true as is_current
    from {{ ref('dim_tasks') }} as dimensions
    cross join span
    where
        dimensions.created_at >= span.cutoff
        and dimensions.created_at < span.horizon
        {%- if stored %}
        and {{ is_changed_backlog_task('dimensions') }}
    union all
    select
        former.organization_id,
        former.task_id,
        {{ backlog_domain('former') }} as domain,
        former.severity,
        former.visibility,
        {{ utc_date('former.created_at') }} as created_on,
        false as is_current
    from (
        {{ rows_as_of('dim_tasks', ref('dim_tasks'), 'task_id', stored.since, 'select * from ' ~ temporary('backlog_tasks')) }}
    ) as former
    where
        former.created_at >= {{ utc_midnight("date '" ~ stored.cutoff ~ "'") }}
        and former.created_at < {{ utc_midnight("date '" ~ stored.until ~ "'") }}
        {%- endif %}
{%- endmacro %}

{#- The times in which these tasks are open, and those in which they were when they were counted, as days: end_day is the first one at whose
    end the task is not open; NULL for none. -#}
{% macro backlog_times(stored) -%}
    select
        statuses.organization_id,
        statuses.task_id,
        true as is_current,
        statuses.started_date_key as first_day,
        statuses.ended_date_key as end_day
    from {{ ref('fact_task_statuses') }} as statuses
    where
        not statuses.is_closed
        and statuses.ended_date_key is distinct from statuses.started_date_key
        {%- if stored %}
        and {{ is_changed_backlog_task('statuses') }}
    union all
    select
        former.organization_id,
        former.task_id,
        false as is_current,
        {{ utc_date('former.started_at') }} as first_day,
        {{ utc_date('former.ended_at') }} as end_day
    from ({{ former_open_times(stored.since) }}) as former
        {%- endif %}
{%- endmacro %}

{#- Whether a row is of a task that counts otherwise than in the stored backlog. -#}
{% macro is_changed_backlog_task(row) -%}
    ({{ row }}.task_id, {{ row }}.organization_id) in (
            select
                changed.task_id,
                changed.organization_id
            from {{ temporary('backlog_tasks') }} as changed
        )
{%- endmacro %}
