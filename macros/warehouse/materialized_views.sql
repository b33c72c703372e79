{#- A refresh that no reader waits for. It needs a unique index over plain columns. -#}
{% macro postgres__refresh_materialized_view(relation) %}
    refresh materialized view concurrently {{ relation }}
{% endmacro %}

{#- dbt refreshes a materialized view whose select changed, with the old select. Here one that differs from its model, in its select or
    in its indexes, is replaced: the new one is built beside it and takes its name. -#}
{% macro materialized_view_get_build_sql(existing_relation, target_relation, backup_relation, intermediate_relation) %}
    {% if existing_relation is none %}
        {{ return(get_create_materialized_view_as_sql(target_relation, sql)) }}
    {% elif
        should_full_refresh()
        or not existing_relation.is_materialized_view
        or get_materialized_view_configuration_changes(existing_relation, config) is not none
        or has_another_select(existing_relation, sql)
    %}
        {{ return(get_replace_sql(existing_relation, target_relation, sql)) }}
    {% else %}
        {{ return(refresh_materialized_view(target_relation)) }}
    {% endif %}
{% endmacro %}

{#- Whether PostgreSQL reads a select otherwise than the one that a relation was made with. -#}
{% macro has_another_select(relation, sql) %}
    {% set query %}
        create or replace temporary view another_select as {{ sql }};
        select pg_get_viewdef('pg_temp.another_select'::regclass) <> pg_get_viewdef('{{ relation }}'::regclass) as is_another;
    {% endset %}
    {% set is_another = run_query(query).rows[0]['is_another'] %}
    {% do run_query('drop view pg_temp.another_select') %}
    {{ return(is_another) }}
{% endmacro %}
