{% macro contract_columns(table) %}
    {% if not execute %}{{ return({}) }}{% endif %}
    {{ return(graph.sources.get('source.' ~ project_name ~ '.orgo.' ~ table, {}).get('columns', {})) }}
{% endmacro %}

{% macro contract_rows() -%}
    {%- set rows = [] -%}
    {%- for node in graph.get('sources', {}).values() if node.source_name == 'orgo' -%}
        {%- for name, column in node.columns.items() -%}
            {%- set is_deployed_only = 'true' if column.config.meta.get('deployed_only') else 'false' -%}
            {%- do rows.append([sql_text(node.name), sql_text(name), sql_text(column.data_type), is_deployed_only]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(rows or [['null', 'null', 'null', 'cast(null as boolean)']]) -}}
{%- endmacro %}

{#- The columns in which the database differs from the contract: {name: actual type, or none if missing}. Unit tests override it. -#}
{% macro drifted_columns(table) %}
    {% set actual = readable_columns(table) %}
    {% set drifted = {} %}
    {% for name, column in contract_columns(table).items() if actual.get(name) != column.data_type %}
        {% do drifted.update({name: actual.get(name)}) %}
    {% endfor %}
    {{ return(drifted) }}
{% endmacro %}

{#- A select of exactly the contract's columns, converted to the contract's types where the deployed database differs. -#}
{% macro source_select(table) -%}
    {%- set drifted = drifted_columns(table) %}
        select
        {%- for name, column in contract_columns(table).items() %}
            {%- if name not in drifted %}
            {{ name }}
            {%- elif drifted[name] is none %}
            {{ missing_column(table, name, column) }} as {{ name }}
            {%- else %}
            {{ converted_column(name, drifted[name], column.data_type) }} as {{ name }}
            {%- endif %}
            {{- ',' if not loop.last }}
        {%- else %} *
        {%- endfor %}
        from {{ source('orgo', table) }}
        {%- if is_empty_run() and model.resource_type != 'unit_test' %} where false {%- endif %}
{%- endmacro %}
