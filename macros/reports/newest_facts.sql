{#- Whether a report was loaded after the newest load of fact_tasks. Tests compare the two only then. A report that is loaded from another
    table, `counted`, is as new as that: loaded alone, it repeats what it has. -#}
{% macro is_of_newest_facts(report, counted=none) -%}
    (
        select
            {%- if counted %}
            max(case when load_log.relation_name = {{ report }} then load_log.load_log_id end)
            > max(case when load_log.relation_name = '{{ counted }}' then load_log.load_log_id end)
            and max(case when load_log.relation_name = '{{ counted }}' then load_log.load_log_id end)
            {%- else %}
            max(case when load_log.relation_name = {{ report }} then load_log.load_log_id end)
            {%- endif %}
            > max(case when load_log.relation_name = 'fact_tasks' then load_log.load_log_id end)
        from {{ source('insights_ops', 'load_log') }} as load_log
    )
{%- endmacro %}

{#- When a relation, by default this model, was last loaded, and the horizon and cutoff of that load, as texts. -#}
{% macro former_load(name=model.name) %}
    {% set query %}
        select
            {{ moment_text('logged_at') }} as logged_at,
            {{ moment_text('horizon') }} as horizon,
            {{ moment_text('cutoff') }} as cutoff
        from ({{ latest_load(name) }}) as load
    {% endset %}
    {% set loads = fetched(query).rows if execute else [] %}
    {{ return(loads[0] if loads else {'logged_at': '-infinity', 'horizon': '0001-01-01 00:00:00+00', 'cutoff': '-infinity'}) }}
{% endmacro %}
