{#- What DuckDB's catalog knows. A file has one user, who may do everything. -#}

{#- The types of DuckDB in the terms of the contract. -#}
{% macro duckdb_types() %}
    {{ return({
        'VARCHAR': 'text',
        'UUID': 'uuid',
        'TIMESTAMP WITH TIME ZONE': 'timestamp with time zone',
        'TIMESTAMP': 'timestamp without time zone',
        'JSON': 'jsonb',
        'BOOLEAN': 'boolean',
        'INTEGER': 'integer',
        'SMALLINT': 'smallint',
        'BIGINT': 'bigint',
        'DATE': 'date',
        'INTERVAL': 'interval',
        'VARCHAR[]': 'text[]',
    }) }}
{% endmacro %}

{% macro duckdb__source_columns() -%}
    select
        table_name,
        column_name,
        case data_type
            {%- for name, wanted in duckdb_types().items() %}
            when '{{ name }}' then '{{ wanted }}'
            {%- endfor %}
            else lower(data_type)
        end as actual_type,
        true as is_readable
    from duckdb_columns()
    where database_name = current_database() and schema_name = '{{ var("source_schema") }}'
{%- endmacro %}

{% macro duckdb__readable_columns(table) %}
    {% set found = {} %}
    {% for row in run_query(source_columns() ~ " and table_name = '" ~ table ~ "'").rows %}
        {% do found.update({row['column_name']: row['actual_type']}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro duckdb__converted_column(name, actual, wanted) -%}
    {%- if wanted == 'text' and actual in ('json', 'jsonb') -%}
    case
        when json_type({{ name }}) = 'VARCHAR' and not contains({{ name }}, '\u0000') then {{ name }} ->> '$'
        when json_type({{ name }}) <> 'NULL' then cast({{ name }} as text)
    end
    {%- elif wanted == 'jsonb' -%} coalesce(try_cast(cast({{ name }} as text) as json), to_json(cast({{ name }} as text)))
    {%- else -%} try_cast({{ name }} as {{ wanted }})
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__is_unique_by_index(relation, columns) %}{{ return(false) }}{% endmacro %}

{% macro duckdb__may_write(relation) %}{{ return(true) }}{% endmacro %}

{% macro duckdb__is_prepared() %}
    {{ return(adapter.get_relation(target.database, target.schema ~ '_ops', 'releases') is not none) }}
{% endmacro %}

{% macro duckdb__is_serving() %}{{ return('false') }}{% endmacro %}

{#- `insights init` makes the file, and nothing else has one with the schemas of this project. -#}
{% macro duckdb__foreign_relations(names) %}{{ return(none) }}{% endmacro %}

{% macro duckdb__column_of_row(row, column, data_type) -%} {{ row }}.{{ column }} {%- endmacro %}

{#- A table of columns without indexes: what a query reads is found by the ranges of its values. -#}
{% macro duckdb__create_indexes(relation) %}{% endmacro %}
