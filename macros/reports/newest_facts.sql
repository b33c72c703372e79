{#- Whether a report was loaded after the newest load of fact_tasks. Tests compare the two only then. -#}
{% macro is_of_newest_facts(report) -%}
    (
        select
            max(load_log.load_log_id) filter (where load_log.relation_name = {{ report }})
            > max(load_log.load_log_id) filter (where load_log.relation_name = 'fact_tasks')
        from {{ source('insights_ops', 'load_log') }} as load_log
    )
{%- endmacro %}
