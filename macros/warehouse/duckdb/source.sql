{#- A staging model reads its operational table itself: dbt makes the view again in each load, and nothing else changes the file. `insights
    snapshot` leaves out rows that repeat the identity of another. -#}
{% macro duckdb__read_source(table) -%} {{ source_select(table) }} {%- endmacro %}

{% macro duckdb__identifies_rows(relation, column) %}{{ return(true) }}{% endmacro %}
