{#- The load whose facts int_task_backlog counts. Unit tests override it, since an overridden latest_load would reach data tests of the same run. -#}
{% macro load_of_backlog() -%}
    {{ latest_load('fact_tasks') }}
{%- endmacro %}

{#- A load of the backlog counts the subjects again whose tasks have changed, and adds the new days of the others (decision D206). A subject
    is an organization's domain, severity and visibility. -#}

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

{#- The stored backlog that this load continues: {relation, logged_at, until}, the last being the first day that it lacks. None in a first
    build, in a rebuild, after which everything is counted, and where no pre-hook runs. -#}
{% macro stored_backlog() %}
    {%- set stored = stored_or_none('report_task_backlog') -%}
    {%- if not execute or not stored or not keeps_changed_keys() or var('rebuild', false) or var('scan_all', false) or flags.FULL_REFRESH -%}
        {{- return(none) -}}
    {%- endif -%}
    {% set query %}
        select
            cast(logged_at as text) as logged_at,
            cast({{ utc_date('horizon') }} as text) as until
        from ({{ latest_load('report_task_backlog') }}) as load
    {% endset %}
    {%- set loads = run_query(query).rows -%}
    {{- return({'relation': stored, 'logged_at': loads[0].logged_at, 'until': loads[0].until} if loads else none) -}}
{% endmacro %}

{#- pre-hook of the report: deletes the rows that a subject no longer has, in the transaction that writes the others. -#}
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
