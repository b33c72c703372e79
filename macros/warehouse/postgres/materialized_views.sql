{#- Refreshes without blocking readers, which requires a unique index over plain columns. -#}
{% macro postgres__refresh_materialized_view(relation) %}
    refresh materialized view {{ 'concurrently' if orgo_insights.is_own(model) }} {{ relation }}
{% endmacro %}

{#- When the select of a materialized view changes, dbt keeps refreshing the old select. Here a view whose select or indexes differ from
    its model is replaced, unless views of others read it: the new one is built under a temporary name and then renamed. A full refresh
    computes all rows again, as every refresh does. -#}
{% macro materialized_view_get_build_sql(existing_relation, target_relation, backup_relation, intermediate_relation) %}
    {% if not orgo_insights.is_own(model) %}
        {{ return(dbt.materialized_view_get_build_sql(existing_relation, target_relation, backup_relation, intermediate_relation)) }}
    {% elif existing_relation is none %}
        {{ return(get_create_materialized_view_as_sql(target_relation, sql)) }}
    {% elif
        not existing_relation.is_materialized_view
        or get_materialized_view_configuration_changes(existing_relation, config) is not none
        or has_another_select(existing_relation, sql)
    %}
        {% do refuse_to_drop_readers(existing_relation) %}
        {% do lock_briefly(existing_relation) %}
        {% set grants = grants_on(existing_relation) %}
        {{ return(get_replace_sql(existing_relation, target_relation, sql) ~ (';' ~ grants if grants else '')) }}
    {% else %}
        {{ return(refresh_materialized_view(target_relation)) }}
    {% endif %}
{% endmacro %}

{#- Whether a select differs, as PostgreSQL parses it, from the one that a relation was created with. -#}
{% macro has_another_select(relation, sql) %}
    {% set query %}
        create or replace temporary view another_select as {{ sql }};
        select pg_get_viewdef('pg_temp.another_select'::regclass) <> pg_get_viewdef({{ sql_text(relation) }}::regclass) as is_another;
    {% endset %}
    {% set is_another = run_query(query).rows[0]['is_another'] %}
    {% do run_query('drop view pg_temp.another_select') %}
    {{ return(is_another) }}
{% endmacro %}
