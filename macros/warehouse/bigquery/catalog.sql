{#- What BigQuery's catalog knows. It enforces no keys. -#}

{#- The types of BigQuery in the terms of the contract. -#}
{% macro bigquery_types() %}
    {{ return({
        'STRING': 'text',
        'TIMESTAMP': 'timestamp with time zone',
        'DATETIME': 'timestamp without time zone',
        'ARRAY<STRING>': 'text[]',
        'BOOL': 'boolean',
        'BOOLEAN': 'boolean',
        'INT64': 'integer',
        'INTEGER': 'integer',
        'NUMERIC': 'numeric',
        'DATE': 'date',
        'JSON': 'json',
    }) }}
{% endmacro %}

{#- Which types of the contract BigQuery delivers under another name: ids, JSON and durations are texts. -#}
{% macro types_as_delivered() %}
    {{ return({'uuid': 'text', 'jsonb': 'text', 'interval': 'text', 'smallint': 'integer', 'bigint': 'integer'}) }}
{% endmacro %}

{#- The columns of an operational table as the interface of BigQuery lists them: {name: type}. -#}
{% macro listed_columns(table) %}
    {% set found = {} %}
    {% set relation = adapter.get_relation(target.database, var('source_schema'), table) %}
    {% for column in adapter.get_columns_in_relation(relation) if relation %}
        {% do found.update({column.name | lower: bigquery_types().get(column.data_type, column.data_type | lower)}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro bigquery__source_columns() -%}
    {%- set found = [] -%}
    {%- for node in graph.get('sources', {}).values() if execute and node.source_name == 'orgo' -%}
        {%- for name, actual in readable_columns(node.name).items() -%}
            {%- do found.append([sql_text(node.name), sql_text(name), sql_text(actual), 'true']) -%}
        {%- endfor -%}
    {%- endfor -%}
    select * from {{ rows_of('listed', ['table_name', 'column_name', 'actual_type', 'is_readable'], found or [["''", "''", "''", 'true']]) }}
{%- endmacro %}

{% macro bigquery__readable_columns(table) %}
    {% set found = {} %}
    {% for name, actual in listed_columns(table).items() %}
        {% set wanted = contract_columns(table).get(name, {}).get('data_type') %}
        {% do found.update({name: wanted if types_as_delivered().get(wanted) == actual else actual}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro bigquery__is_unique_by_index(relation, columns) %}{{ return(false) }}{% endmacro %}

{% macro bigquery__identifies_rows(relation, column) %}{{ return(false) }}{% endmacro %}

{% macro bigquery__may_write(relation) %}{{ return(true) }}{% endmacro %}

{% macro bigquery__is_prepared() %}
    {{ return(adapter.get_relation(target.database, target.schema ~ '_ops', 'releases') is not none) }}
{% endmacro %}

{% macro bigquery__is_serving() %}{{ return('false') }}{% endmacro %}

{% macro bigquery__foreign_relations(names) %}{{ return(none) }}{% endmacro %}

{% macro bigquery__column_of_row(row, column, data_type) -%} {{ row }}.{{ column }} {%- endmacro %}
