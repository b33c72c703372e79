{#- dbt calls this only for a missing schema. `insights init` creates the schemas of this project with their grants. -#}
{% macro postgres__create_schema(relation) -%}
    {%- set schema = relation.without_identifier().include(database=false) -%}
    {%- if relation.schema.removeprefix(target.schema) in ['', '_staging', '_snapshots', '_personal', '_ops'] -%}
        {{ exceptions.raise_compiler_error("The schema " ~ schema ~ " does not exist. Prepare this database first: insights init") }}
    {%- endif -%}
    {%- set may_create = "select has_database_privilege(current_database(), 'create') as is_allowed, quote_ident(current_user) as role_name" -%}
    {%- set found = run_query(may_create).rows[0] -%}
    {%- if not found['is_allowed'] -%}
        {{ exceptions.raise_compiler_error(
            "The schema " ~ schema ~ " of another dbt package does not exist, and the role " ~ found['role_name'] ~ " may not create it."
            ~ " Run as the owner of the database: create schema " ~ schema ~ " authorization " ~ found['role_name']
        ) }}
    {%- endif -%}
    {{ dbt.postgres__create_schema(relation) }}
{%- endmacro %}
