{#- A data test looks at the rows that were written since it last passed, so that its cost follows the change; one that failed, or that
    `insights reconcile` has reset, keeps its range and looks at everything that it has not yet passed (decision D173).

    written_after  rows of the relation that were written after this moment have not been checked; -infinity if none has
    changed_from   rows of the source that changed since then were looked at by a load that has not been checked

    Without a name, of the loads of all relations. -#}
{% macro unchecked_range(relation_name=none) %}
    {% if not execute %}{{ return({'written_after': '-infinity', 'changed_from': '-infinity'}) }}{% endif %}
    {% set query %}
        with checked as (
            select {{ checked_through() }} as load_log_id
        )

        select
            {%- set written_after = 'max(case when load_log.load_log_id <= checked.load_log_id then load_log.logged_at end)' %}
            coalesce({{ moment_text(written_after) }}, '-infinity') as written_after,
            {%- set changed_from = 'min(case when load_log.load_log_id > checked.load_log_id then load_log.loaded_from end)' %}
            case when checked.load_log_id = 0 then '-infinity' else coalesce({{ moment_text(changed_from) }}, 'infinity') end as changed_from
        from checked
        left join {{ source('insights_ops', 'load_log') }} as load_log
            on {{ "load_log.relation_name = '" ~ relation_name ~ "'" if relation_name else 'true' }}
        group by checked.load_log_id
    {% endset %}
    {{ return(fetched(query).rows[0]) }}
{% endmacro %}

{#- The newest load that this test has passed after, as a load_log_id; 0 if there is none. A database that `insights init` has not prepared
    for this release may lack the table, which dbt's cache knows, or its column, which a row as jsonb may lack: no test asks the catalog. -#}
{% macro checked_through() %}
    {%- set relation = source('insights_ops', 'test_results') -%}
    {%- if load_relation(relation) is none %}{{ return('0') }}{% endif -%}
    coalesce(
        (
            select {{ column_of_row('results', 'checked_through', 'bigint') }}
            from {{ relation }} as results
            where results.test_name = {{ sql_text(model.name) }}
        ),
        0
    )
{%- endmacro %}

{#- Whether a row of a mart was written since the test last passed. -#}
{% macro is_unchecked(relation_name, row=none) -%}
    {{ row ~ '.' if row }}loaded_at > {{ moment_of(unchecked_range(relation_name).written_after) }}
{%- endmacro %}

{#- Whether a row of the source changed so late that a load looked at it since the test last passed. -#}
{% macro is_newly_loaded(moment, relation_name) -%}
    {{ moment }} >= {{ moment_of(unchecked_range(relation_name).changed_from) }}
{%- endmacro %}

{#- The rows that a test of a single model has not seen, as a condition; none if the model does not tell them from others. -#}
{% macro unchecked_rows(node) %}
    {% set moment = ['updated_at', 'created_at'] | select('in', node.columns) | first %}
    {% set load_of = node.config.meta.get('load_of') %}
    {% if node.config.materialized == 'incremental' and 'loaded_at' in node.columns %}
        {{ return("loaded_at > " ~ moment_of(unchecked_range(node.name).written_after)) }}
    {% elif node.config.materialized == 'incremental' and load_of and 'day' in node.columns %}
        {{ return('(organization_id, day) in (' ~ unchecked_days(load_of) ~ ')') }}
    {% elif node.config.materialized == 'incremental' and load_of and 'month' in node.columns %}
        {% set months = 'select written.organization_id, ' ~ first_of_month('written.day') ~ ' from (' ~ unchecked_days(load_of) ~ ') as written' %}
        {{ return('(organization_id, month) in (' ~ months ~ ')') }}
    {% elif node.config.materialized == 'view' and moment %}
        {% set range = unchecked_range() %}
        {{ return("(" ~ moment ~ " >= " ~ moment_of(range.changed_from) ~ " or " ~ moment ~ " is null)") }}
    {% endif %}
    {{ return(none) }}
{% endmacro %}

{#- The model of this project that the generic test at hand belongs to; none for another test, and while parsing. -#}
{% macro tested_model() %}
    {% set node = graph.nodes.get(model.get('attached_node')) if execute else none %}
    {{ return(node if orgo_insights.is_own(node) else none) }}
{% endmacro %}

{#- dbt asks this for the rows that a generic test looks at. A test of each row by itself looks at the unchecked ones. -#}
{% macro default__get_where_subquery(relation) %}
    {% set node = orgo_insights.tested_model() %}
    {% if not node or model.test_metadata.name not in ('in_enum', 'is_key', 'never_null', 'refers_to', 'unique') or config.get('where') %}
        {{ return(dbt.default__get_where_subquery(relation)) }}
    {% endif %}
    {% set condition = unchecked_rows(node) %}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ condition ~ ') as unchecked' if condition else relation) }}
{% endmacro %}
