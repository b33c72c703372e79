{#- Types and contracts in BigQuery. -#}

{#- A type of the project's models in BigQuery. -#}
{% macro bigquery__type_of(name) -%}
    {{- return({
        'timestamp with time zone': 'timestamp',
        'timestamptz': 'timestamp',
        'timestamp without time zone': 'timestamp',
        'double precision': 'float64',
        'jsonb': 'json',
        'text': 'string',
        'uuid': 'string',
        'text[]': 'array<string>',
        'uuid[]': 'array<string>',
        'interval': 'string',
        'integer': 'int64',
        'smallint': 'int64',
        'bigint': 'int64',
        'boolean': 'bool',
    }.get(name, 'numeric' if name.startswith('numeric') else name)) -}}
{%- endmacro %}

{#- The columns of a contract with types of BigQuery. -#}
{% macro columns_of_bigquery(columns) %}
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
{% macro bigquery__get_empty_schema_sql(columns) %}{{ return(dbt.default__get_empty_schema_sql(columns_of_bigquery(columns))) }}{% endmacro %}

{% macro bigquery__get_table_columns_and_constraints() %}
    {%- set columns = adapter.render_raw_columns_constraints(raw_columns=columns_of_bigquery(model['columns'])) -%}
    {%- set constraints = adapter.render_raw_model_constraints(raw_constraints=model['constraints']) -%}
    ({{ (columns + constraints) | join(', ') }})
{% endmacro %}
