{#- Types and contracts in Snowflake. -#}

{#- A type of the project's models in Snowflake. -#}
{% macro snowflake__type_of(name) -%}
    {{- return({
        'timestamp with time zone': 'timestamp_tz',
        'timestamptz': 'timestamp_tz',
        'timestamp without time zone': 'timestamp_ntz',
        'jsonb': 'variant',
        'text[]': 'array',
        'uuid[]': 'array',
        'interval': 'text',
    }.get(name, name)) -}}
{%- endmacro %}

{#- The columns of a contract with types of Snowflake. -#}
{% macro columns_with_types(columns) %}
    {% set typed = {} %}
    {% for name, column in columns.items() %}
        {% set copied = {} %}
        {% do copied.update(column) %}
        {% do copied.update({'data_type': type_of(column.data_type)}) %}
        {% do typed.update({name: copied}) %}
    {% endfor %}
    {{ return(typed) }}
{% endmacro %}

{#- dbt calls these for a model with a contract. -#}
{% macro snowflake__get_empty_schema_sql(columns) %}{{ return(dbt.default__get_empty_schema_sql(columns_with_types(columns))) }}{% endmacro %}

{% macro snowflake__get_table_columns_and_constraints() %}
    {%- set columns = adapter.render_raw_columns_constraints(raw_columns=columns_with_types(model['columns'])) -%}
    {%- set constraints = adapter.render_raw_model_constraints(raw_constraints=model['constraints']) -%}
    ({{ (columns + constraints) | join(', ') }})
{% endmacro %}
