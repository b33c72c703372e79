{#- JSON values in BigQuery. What the source has as JSON is a text, as PostgreSQL prints it: a value of type JSON would forget the order of
    members, on which texts of locations depend. What is built here is of type JSON. -#}

{% macro bigquery__is_json_object(value) -%}
    {%- if value.startswith('parse_json(') -%} json_type({{ value }}) = 'object'
    {%- else -%} starts_with({{ value }}, '{')
    {%- endif -%}
{%- endmacro %}

{#- PostgreSQL writes a space after each comma, and control characters with small hexadecimal digits. -#}
{% macro bigquery__json_array_text(values) -%}
    '['
        {%- for value in values %}
        || case
            when regexp_contains(cast({{ value }} as string), r'[\x01-\x07\x0b\x0e-\x1f]') then {{ json_string('cast(' ~ value ~ ' as string)') }}
            else to_json_string({{ value }})
        end
        {{- " || ', '" if not loop.last }}
        {%- endfor %} || ']'
{%- endmacro %}

{#- A text with control characters as a JSON string. -#}
{% macro json_string(text) -%}
    {%- set escaped = namespace(sql="replace(replace(" ~ text ~ ", '\\\\', '\\\\\\\\'), '\"', '\\\\\"')") -%}
    {%- for code in range(1, 32) -%}
        {%- set sign = {8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r'}.get(code, 'u00%02x' % code) -%}
        {%- set escaped.sql = 'replace(' ~ escaped.sql ~ ', chr(' ~ code ~ "), '\\\\" ~ sign ~ "')" -%}
    {%- endfor -%}
    '"' || {{ escaped.sql }} || '"'
{%- endmacro %}

{#- A member that is no text, number or boolean is returned as its JSON. -#}
{% macro bigquery__json_text(column, key) -%}
    case left({{ column }}, 1)
        when '{' then coalesce(json_value({{ column }}, '$.{{ key }}'), nullif(cast(json_query({{ column }}, '$.{{ key }}') as string), 'null'))
        when '"' then json_value({{ column }}, '$')
    end
{%- endmacro %}

{#- Members that are NULL are left out, as array_to_string does. -#}
{% macro bigquery__json_object_of(members) -%}
    parse_json('{' || array_to_string([
        {%- for name, value in members.items() %}
        case when {{ value }} is not null then '"{{ name }}":' || to_json_string({{ value }}) end{{ ',' if not loop.last }}
        {%- endfor %}
    ], ',') || '}')
{%- endmacro %}

{% macro bigquery__json_array_of(values) -%} json_array({{ values | join(', ') }}) {%- endmacro %}

{#- By their texts; none of them is empty. -#}
{% macro bigquery__json_merged(one, other) -%}
    parse_json(left(to_json_string({{ one }}), length(to_json_string({{ one }})) - 1) || ',' || substr(to_json_string({{ other }}), 2))
{%- endmacro %}

{% macro bigquery__json_of(value) -%} parse_json(to_json_string({{ value }})) {%- endmacro %}

{% macro bigquery__parsed_json(text) -%} parse_json({{ text }}) {%- endmacro %}

{% macro bigquery__json_member(document, path) -%} json_value({{ document }}, '$.{{ path | join('.') }}') {%- endmacro %}
