{#- Texts and tokens in the SQL that PostgreSQL and DuckDB share. -#}

{% macro default__greatest_filled(values) -%} greatest({{ values | join(', ') }}) {%- endmacro %}

{% macro default__least_filled(values) -%} least({{ values | join(', ') }}) {%- endmacro %}

{% macro default__md5_uuid(text) -%} cast(md5({{ text }}) as uuid) {%- endmacro %}

{% macro default__rank_of_token(enum, token) -%} array_position(array[{{ enum_tokens(enum) }}], {{ token }}) {%- endmacro %}

{% macro default__segments(text) -%}
    trim(both '.' from regexp_replace(regexp_replace({{ in_c_order(text) }}, '[^A-Za-z0-9.]+', '', 'g'), '[.]{2,}', '.', 'g'))
{%- endmacro %}

{% macro default__token_of_rank(enum, rank) -%} (array[{{ enum_tokens(enum) }}])[{{ rank }}] {%- endmacro %}

{% macro default__trimmed(text) -%} trim(both ' ' from {{ text }}) {%- endmacro %}

{% macro default__escaped(text) -%} {{ text | replace("'", "''") }} {%- endmacro %}

{% macro default__md5_text(text) -%} md5({{ text }}) {%- endmacro %}

{% macro default__segment(text, place) -%} split_part({{ text }}, '.', {{ place }}) {%- endmacro %}
