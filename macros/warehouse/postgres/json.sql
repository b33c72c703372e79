{#- JSON values in PostgreSQL. -#}

{% macro postgres__is_json_object(value) -%} jsonb_typeof({{ value }}) = 'object' {%- endmacro %}

{#- Of scalars other than floats, json_build_array prints what jsonb_build_array does, and does not build a tree of it first. -#}
{% macro postgres__json_array_text(values) -%}
    cast(json_build_array(
            {{ values | join(',\n            ') }}
        ) as text)
{%- endmacro %}

{% macro postgres__json_text(column, key) -%}
    case jsonb_typeof({{ column }})
        when 'object' then {{ column }} ->> '{{ key }}'
        when 'string' then {{ column }} #>> '{}'
    end
{%- endmacro %}

{% macro postgres__json_object_of(members) -%}
    jsonb_strip_nulls(jsonb_build_object(
        {%- for name, value in members.items() %}
        '{{ name }}', {{ value }}{{ ',' if not loop.last }}
        {%- endfor %}
    ))
{%- endmacro %}

{% macro postgres__json_array_of(values) -%} jsonb_build_array({{ values | join(', ') }}) {%- endmacro %}

{% macro postgres__json_merged(one, other) -%} {{ one }} || {{ other }} {%- endmacro %}

{% macro postgres__json_of(value) -%} to_jsonb({{ value }}) {%- endmacro %}

{% macro postgres__parsed_json(text) -%} cast({{ text }} as jsonb) {%- endmacro %}

{% macro postgres__json_member(document, path) -%} {{ document }} #>> '{ {{- path | join(',') -}} }' {%- endmacro %}
