{#- JSON values in DuckDB. -#}

{% macro duckdb__is_json_object(value) -%} json_type({{ value }}) = 'OBJECT' {%- endmacro %}

{#- PostgreSQL writes control characters with small hexadecimal digits, and a space after each comma. -#}
{% macro duckdb__json_array_text(values) -%}
    concat('[', concat_ws(', '
        {%- for value in values %},
            case
                when regexp_matches(cast({{ value }} as text), '[\x01-\x07\x0b\x0e-\x1f]')
                    then concat('"', array_to_string(list_transform(string_split(cast({{ value }} as text), ''), lambda c: case
                        when regexp_matches(c, '[\x01-\x07\x0b\x0e-\x1f]') then printf('\u%04x', unicode(c))
                        else substr(cast(to_json(c) as text), 2, length(cast(to_json(c) as text)) - 2)
                    end), ''), '"')
                else coalesce(cast(to_json({{ value }}) as text), 'null')
            end
        {%- endfor %}
        ), ']')
{%- endmacro %}

{% macro duckdb__json_text(column, key) -%}
    case json_type({{ column }})
        when 'OBJECT' then {{ column }} ->> '$."{{ key }}"'
        when 'VARCHAR' then {{ column }} ->> '$'
    end
{%- endmacro %}

{#- A patch leaves members out that are NULL. -#}
{% macro duckdb__json_object_of(members) -%}
    json_merge_patch(cast('{}' as json), json_object(
        {%- for name, value in members.items() %}
        '{{ name }}', {{ value }}{{ ',' if not loop.last }}
        {%- endfor %}
    ))
{%- endmacro %}

{% macro duckdb__json_array_of(values) -%} json_array({{ values | join(', ') }}) {%- endmacro %}

{% macro duckdb__json_merged(one, other) -%} json_merge_patch({{ one }}, {{ other }}) {%- endmacro %}

{% macro duckdb__json_of(value) -%} to_json({{ value }}) {%- endmacro %}

{% macro duckdb__parsed_json(text) -%} cast({{ text }} as json) {%- endmacro %}

{% macro duckdb__json_member(document, path) -%} json_extract_string({{ document }}, '$.{{ path | join('.') }}') {%- endmacro %}
