{#- What the staging layer reads in Snowflake. -#}

{#- No key is enforced, so a replication may repeat rows: they are counted in each load. -#}
{% macro snowflake__read_source(table) -%}
    {%- if execute and model.resource_type == 'model' and repeated_rows(table) -%} {{ without_repeated_rows(table) }}
    {%- else -%} {{ source_select(table) }}
    {%- endif -%}
{%- endmacro %}

{#- Text that is not JSON becomes a JSON string, so that it is not lost, and a JSON string becomes its text, without the quotes. -#}
{% macro snowflake__converted_column(name, actual, wanted) -%}
    {%- if wanted == 'text' and actual in ('variant', 'object') -%} cast({{ name }} as varchar)
    {%- elif wanted == 'text' -%} cast({{ name }} as varchar)
    {%- elif wanted == 'jsonb' and actual in ('variant', 'object', 'text[]') -%} to_json({{ name }})
    {%- elif wanted == 'jsonb' -%}
    case when try_parse_json({{ name }}) is not null or trim({{ name }}) = 'null' then {{ name }} else to_json(to_variant(cast({{ name }} as varchar))) end
    {%- elif wanted == 'interval' -%} cast({{ name }} as varchar)
    {%- elif wanted == 'text[]' and actual == 'variant' -%} cast({{ name }} as array)
    {%- elif wanted == 'timestamp with time zone' and actual != 'text' -%} cast({{ name }} as timestamp_tz)
    {%- elif wanted == actual -%} {{ name }}
    {%- else -%} try_cast(cast({{ name }} as varchar) as {{ type_of(wanted) }})
    {%- endif -%}
{%- endmacro %}
