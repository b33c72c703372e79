{#- Texts and tokens in Snowflake. Texts are compared by their bytes, so no collation is needed. -#}

{% macro snowflake__greatest_filled(values) -%} greatest_ignore_nulls({{ values | join(', ') }}) {%- endmacro %}

{% macro snowflake__least_filled(values) -%} least_ignore_nulls({{ values | join(', ') }}) {%- endmacro %}

{% macro snowflake__md5_uuid(text) -%}
    cast(regexp_replace(md5({{ text }}), '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\\1-\\2-\\3-\\4-\\5') as uuid)
{%- endmacro %}

{% macro snowflake__rank_of_token(enum, token) -%}
    case {{ token }}
        {%- for row in tokens_of(enum) %} when {{ sql_text(row.token) }} then {{ loop.index }}{% endfor %}
        {%- if not execute %} when null then 0{% endif %}
    end
{%- endmacro %}

{% macro snowflake__token_of_rank(enum, rank) -%}
    case {{ rank }}
        {%- for row in tokens_of(enum) %} when {{ loop.index }} then {{ sql_text(row.token) }}{% endfor %}
        {%- if not execute %} when null then ''{% endif %}
    end
{%- endmacro %}

{% macro snowflake__segments(text) -%}
    regexp_replace(regexp_replace(regexp_replace({{ text }}, '[^A-Za-z0-9.]+', ''), '[.]{2,}', '.'), '^[.]|[.]$', '')
{%- endmacro %}

{% macro snowflake__trimmed(text) -%} trim({{ text }}) {%- endmacro %}

{#- ASCII letters only. -#}
{% macro snowflake__lower_case(text) -%}
    translate({{ text }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
{%- endmacro %}

{% macro snowflake__upper_case(text) -%}
    translate({{ text }}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
{%- endmacro %}

{% macro snowflake__in_c_order(text) -%} {{ text }} {%- endmacro %}

{#- regexp_like would compare the whole text. -#}
{% macro snowflake__matches(text, pattern) -%} regexp_instr({{ text }}, {{ pattern }}) > 0 {%- endmacro %}

{% macro snowflake__hash_of_texts(texts) -%} hash({{ texts | join(', ') }}) {%- endmacro %}

{#- The number is made digit by digit: the first one has the sign, as in a signed number of 64 bits. -#}
{% macro snowflake__hash_id(uuid_column) -%}
    {%- set digits = 'md5(cast(' ~ uuid_column ~ ' as varchar))' -%}
    {%- for place in range(1, 17) %}
    {{ '+ ' if not loop.first }}
    {%- set digit = "(position(substr(" ~ digits ~ ', ' ~ place ~ ", 1), '0123456789abcdef') - 1)" -%}
    cast({{ 16 ** (16 - place) }} as bigint) * {{ digit if place > 1 else '(mod(' ~ digit ~ ' + 8, 16) - 8)' }}
    {%- endfor %}
{%- endmacro %}
