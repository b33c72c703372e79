{#- A staging model reads its operational table itself: dbt makes the view again in each load, and nothing else changes the file. -#}
{% macro duckdb__read_source(table) -%}
    {{ without_repeated_rows(table) if repeated_rows(table) else source_select(table) }}
{%- endmacro %}
