{#- DuckDB has no materialized views: a table that each load makes again has the same rows. -#}
{% materialization materialized_view, adapter='duckdb' %}
    {{ return(materialization_table_duckdb()) }}
{% endmaterialization %}
