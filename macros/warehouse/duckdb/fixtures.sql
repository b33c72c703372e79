{#- dbt calls this for the values of unit tests. They have arrays as PostgreSQL writes them, {a,"b,c"}, and JSON with spaces, so that each
    engine has the same fixtures. -#}
{% macro duckdb__safe_cast(field, type) -%}
    {%- if type.endswith('[]') and field != 'null' -%}
    cast(list_transform(
        regexp_extract_all(cast({{ field }} as text), '"(?:[^"\\]|\\.)*"|[^{},"]+'),
        lambda element: case
            when starts_with(element, '"') then regexp_replace(substr(element, 2, length(element) - 2), '\\(.)', '\1', 'g') else element
        end
    ) as {{ type }})
    {%- elif type | lower in ('json', 'jsonb') and field != 'null' -%}
    cast(json({{ field }}) as json)
    {%- else -%}
    cast({{ field }} as {{ type }})
    {%- endif -%}
{%- endmacro %}
