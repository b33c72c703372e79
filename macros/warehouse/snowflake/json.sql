{#- JSON values in Snowflake. What the source has as JSON is a text, as PostgreSQL prints it: VARIANT would forget the order of members, on
    which texts of locations depend. What is built here is VARIANT. -#}

{% macro snowflake__is_json_object(value) -%} left(to_json(try_parse_json(cast({{ value }} as varchar))), 1) = '{' {%- endmacro %}

{#- PostgreSQL writes a space after each comma, and control characters with small hexadecimal digits. -#}
{% macro snowflake__json_array_text(values) -%}
    '['
        {%- for value in values %}
        || coalesce(
            case
                when regexp_instr(cast({{ value }} as varchar), '[\\x01-\\x07\\x0b\\x0e-\\x1f]') > 0
                    then {{ escaped_text('cast(' ~ value ~ ' as varchar)') }}
                else to_json(to_variant({{ value }}))
            end,
            'null'
        )
        {{- " || ', '" if not loop.last }}
        {%- endfor %} || ']'
{%- endmacro %}

{#- A text with control characters as a JSON string. -#}
{% macro escaped_text(text) -%}
    {%- set escaped = namespace(sql="replace(replace(" ~ text ~ ", '\\\\', '\\\\\\\\'), '\"', '\\\\\"')") -%}
    {%- for code in range(1, 32) -%}
        {%- set sign = {8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r'}.get(code, 'u00%02x' % code) -%}
        {%- set escaped.sql = 'replace(' ~ escaped.sql ~ ', char(' ~ code ~ "), '\\\\" ~ sign ~ "')" -%}
    {%- endfor -%}
    '"' || {{ escaped.sql }} || '"'
{%- endmacro %}

{% macro snowflake__json_text(column, key) -%}
    case left({{ column }}, 1)
        when '{' then cast(parse_json({{ column }}):"{{ key }}" as varchar)
        when '"' then cast(parse_json('[' || {{ column }} || ']')[0] as varchar)
    end
{%- endmacro %}

{#- object_construct leaves members out that are NULL. -#}
{% macro snowflake__json_object_of(members) -%}
    object_construct(
        {%- for name, value in members.items() %}
        '{{ name }}', {{ value }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{% macro snowflake__json_array_of(values) -%} array_construct({{ values | join(', ') }}) {%- endmacro %}

{#- By their texts, because Snowflake merges no objects; none of them is empty. -#}
{% macro snowflake__json_merged(one, other) -%}
    parse_json(left(to_json({{ one }}), length(to_json({{ one }})) - 1) || ',' || substr(to_json({{ other }}), 2))
{%- endmacro %}

{% macro snowflake__json_of(value) -%} {{ value }} {%- endmacro %}

{% macro snowflake__parsed_json(text) -%} parse_json({{ text }}) {%- endmacro %}

{% macro snowflake__json_member(document, path) -%}
    cast(parse_json({{ document }}):{% for name in path %}{{ '.' if not loop.first }}"{{ name }}"{% endfor %} as varchar)
{%- endmacro %}
