{#- Whether a report was loaded after the newest load of fact_tasks. Tests compare the two only then. A report that is loaded from another
    table, `counted`, is as new as that: loaded alone, it repeats what it has. -#}
{% macro is_of_newest_facts(report, counted=none) -%}
    (
        select
            {%- if counted %}
            max(load_log.load_log_id) filter (where load_log.relation_name = {{ report }})
            > max(load_log.load_log_id) filter (where load_log.relation_name = '{{ counted }}')
            and max(load_log.load_log_id) filter (where load_log.relation_name = '{{ counted }}')
            {%- else %}
            max(load_log.load_log_id) filter (where load_log.relation_name = {{ report }})
            {%- endif %}
            > max(load_log.load_log_id) filter (where load_log.relation_name = 'fact_tasks')
        from {{ source('insights_ops', 'load_log') }} as load_log
    )
{%- endmacro %}
