{#- dbt's snapshot times have no time zone; Orgo's updated_at has one. -#}
{% macro duckdb__snapshot_get_time() -%} now() {%- endmacro %}
