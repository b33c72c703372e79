{#- The tasks whose business times a load computes: those that were written since the model was loaded, and all of the organizations whose
    calendar has changed. In a first load, and in `dbt show`, all. -#}
{% macro tasks_of_changed_calendars() -%}
    {%- if not execute or not is_incremental() or is_shown() -%}
    select
        organization_id,
        task_id
    from {{ ref('fact_tasks') }}
    {%- else -%}
    {%- set since = former_load().logged_at if compared_columns() and not var('scan_all', false) else '-infinity' -%}
    {%- for mart in ['fact_tasks', 'dim_tasks'] %}
    select
        organization_id,
        task_id
    from {{ ref(mart) }}
    where loaded_at >= '{{ since }}'
    union
    {%- endfor %}
    select
        facts.organization_id,
        facts.task_id
    from {{ ref('int_business_calendars') }} as calendars
    inner join {{ ref('fact_tasks') }} as facts on calendars.organization_id = facts.organization_id
    where
        -- Two looks into an index; NULL, and therefore a change, where the organization has no rows.
        row(
            (select min(former.calendar_version) from {{ this }} as former where former.organization_id = calendars.organization_id),
            (select max(former.calendar_version) from {{ this }} as former where former.organization_id = calendars.organization_id)
        ) is distinct from row(calendars.calendar_version, calendars.calendar_version)
    {%- endif -%}
{%- endmacro %}

{#- pre-hook of fact_task_business_times: deletes the rows of organizations that have no calendar any more, and those of tasks that have
    moved to another organization since the last load. -#}
{% macro delete_foreign_business_times() %}
    {% if execute and not is_incremental() %}{{ return('') }}{% endif %}
    delete from {{ this }} as former
    where
        not exists (
            select 1 from {{ ref('int_business_calendars') }} as calendars
            where calendars.organization_id = former.organization_id
        );
    delete from {{ this }} as former
    using {{ ref('fact_tasks') }} as moved
    where
        former.task_id = moved.task_id
        and {{ is_foreign('former', 'moved') }}
        and moved.loaded_at >= '{{ former_load().logged_at }}'
{% endmacro %}
