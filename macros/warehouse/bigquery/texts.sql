{#- Texts and tokens in BigQuery. Texts are compared by their bytes, so no collation is needed. A backslash in a literal begins an escape. -#}

{#- Each in turn first, with the others where it is NULL: greatest() is NULL if one of its arguments is. -#}
{% macro bigquery__greatest_filled(values) -%} greatest({{ each_first(values) }}) {%- endmacro %}

{% macro bigquery__least_filled(values) -%} least({{ each_first(values) }}) {%- endmacro %}

{% macro each_first(values) -%}
    {%- for value in values -%}
    {{ 'coalesce(' if values | length > 1 }}{{ (values[loop.index0:] + values[:loop.index0]) | join(', ') }}{{ ')' if values | length > 1 }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro bigquery__escaped(text) -%} {{ text | replace('\\', '\\\\') | replace("'", "\\'") }} {%- endmacro %}

{% macro bigquery__md5_text(text) -%} to_hex(md5({{ text }})) {%- endmacro %}

{% macro bigquery__md5_uuid(text) -%} {{ hyphenated_digits('to_hex(md5(' ~ text ~ '))') }} {%- endmacro %}

{#- The first 32 hexadecimal digits of a text as the text of an id. -#}
{% macro hyphenated_digits(digits) -%}
    regexp_replace({{ digits }}, r'^(.{8})(.{4})(.{4})(.{4})(.{12}).*$', r'\1-\2-\3-\4-\5')
{%- endmacro %}

{% macro bigquery__rank_of_token(enum, token) -%}
    case {{ token }}
        {%- for row in tokens_of(enum) %} when {{ sql_text(row.token) }} then {{ loop.index }}{% endfor %}
        {%- if not execute %} when null then 0{% endif %}
    end
{%- endmacro %}

{% macro bigquery__token_of_rank(enum, rank) -%}
    case {{ rank }}
        {%- for row in tokens_of(enum) %} when {{ loop.index }} then {{ sql_text(row.token) }}{% endfor %}
        {%- if not execute %} when null then ''{% endif %}
    end
{%- endmacro %}

{% macro bigquery__segment(text, place) -%} coalesce(split({{ text }}, '.')[safe_offset({{ place - 1 }})], '') {%- endmacro %}

{% macro bigquery__segments(text) -%}
    regexp_replace(regexp_replace(regexp_replace({{ text }}, r'[^A-Za-z0-9.]+', ''), r'[.]{2,}', '.'), r'^[.]|[.]$', '')
{%- endmacro %}

{% macro bigquery__trimmed(text) -%} trim({{ text }}, ' ') {%- endmacro %}

{#- ASCII letters only. -#}
{% macro bigquery__lower_case(text) -%}
    translate({{ text }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
{%- endmacro %}

{% macro bigquery__upper_case(text) -%}
    translate({{ text }}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
{%- endmacro %}

{% macro bigquery__in_c_order(text) -%} {{ text }} {%- endmacro %}

{% macro bigquery__matches(text, pattern) -%} regexp_contains({{ text }}, r{{ pattern }}) {%- endmacro %}

{% macro bigquery__hash_of_texts(texts) -%}
    to_hex(md5(array_to_string([{{ texts | join(', ') }}], '|', '')))
{%- endmacro %}

{#- Two halves of 32 bits; the first one has the sign, as in a signed number of 64 bits. -#}
{% macro bigquery__hash_id(uuid_column) -%}
    {%- set digits = 'to_hex(md5(' ~ uuid_column ~ '))' -%}
    {%- set half = "cast('0x' || substr(" ~ digits ~ ", 1, 8) as int64)" -%}
    case when {{ half }} >= 2147483648 then {{ half }} - 4294967296 else {{ half }} end * 4294967296
    + cast('0x' || substr({{ digits }}, 9, 8) as int64)
{%- endmacro %}
