{#- What Snowflake's catalog knows. It enforces no keys, and names are in capitals there. -#}

{#- The types of Snowflake in the terms of the contract; a TIMESTAMP_LTZ is a moment too, and is converted. -#}
{% macro snowflake_types() %}
    {{ return({
        'TEXT': 'text',
        'UUID': 'uuid',
        'TIMESTAMP_TZ': 'timestamp with time zone',
        'TIMESTAMP_NTZ': 'timestamp without time zone',
        'TIMESTAMP_LTZ': 'timestamp with local time zone',
        'VARIANT': 'variant',
        'OBJECT': 'object',
        'ARRAY': 'text[]',
        'BOOLEAN': 'boolean',
        'NUMBER': 'integer',
        'DATE': 'date',
    }) }}
{% endmacro %}

{#- Which types of the contract Snowflake delivers under another name: JSON and durations are texts. -#}
{% macro delivered_types() %}{{ return({'jsonb': 'text', 'interval': 'text', 'smallint': 'integer', 'bigint': 'integer'}) }}{% endmacro %}

{% macro snowflake__source_columns() -%}
    select
        lower(table_name) as table_name,
        lower(column_name) as column_name,
        case data_type
            {%- for name, wanted in snowflake_types().items() %}
            when '{{ name }}' then '{{ wanted }}'
            {%- endfor %}
            else lower(data_type)
        end as actual_type,
        true as is_readable
    from {{ target.database }}.information_schema.columns
    where table_schema = upper('{{ var("source_schema") }}')
{%- endmacro %}

{% macro snowflake__readable_columns(table) %}
    {% set found = {} %}
    {% for row in fetched(source_columns() ~ " and table_name = upper('" ~ table ~ "')").rows %}
        {% set wanted = contract_columns(table).get(row['column_name'], {}).get('data_type') %}
        {% set is_delivered = delivered_types().get(wanted) == row['actual_type'] %}
        {% do found.update({row['column_name']: wanted if is_delivered else row['actual_type']}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{% macro snowflake__fetched(query) %}
    {% set result = run_query(query) %}
    {{ return(result.rename(result.column_names | map('lower') | list)) }}
{% endmacro %}

{% macro snowflake__is_unique_by_index(relation, columns) %}{{ return(false) }}{% endmacro %}

{% macro snowflake__identifies_rows(relation, column) %}{{ return(false) }}{% endmacro %}

{% macro snowflake__may_write(relation) %}{{ return(true) }}{% endmacro %}

{#- A moment without a time zone, and the output of a date, follow the session: it must be that of UTC. -#}
{% macro snowflake__is_prepared() %}
    {% set apart = "abs(datediff('minute', cast(current_timestamp() as timestamp_ntz), sysdate())) > 1" %}
    {% if fetched('select ' ~ apart ~ ' as is_apart').rows[0]['is_apart'] %}
        {{ exceptions.raise_compiler_error("The time zone of this session is not UTC. Run: alter user " ~ target.user ~ " set timezone = 'UTC'") }}
    {% endif %}
    {{ return(adapter.get_relation(target.database, target.schema ~ '_ops', 'releases') is not none) }}
{% endmacro %}

{% macro snowflake__is_serving() %}{{ return('false') }}{% endmacro %}

{% macro snowflake__foreign_relations(names) %}{{ return(none) }}{% endmacro %}

{% macro snowflake__column_of_row(row, column, data_type) -%} {{ row }}.{{ column }} {%- endmacro %}
