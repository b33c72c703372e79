{#- Marts are built in exactly the target's schema, everything else in <schema>_staging, _snapshots, _personal and _ops. Another package follows dbt's
    rule, <schema>_<custom schema>, but never lands among the marts: without a custom schema it gets <schema>_<package> (decision D162). -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set suffix = custom_schema_name or (node.package_name if node and not orgo_insights.is_own(node)) -%}
    {{- target.schema ~ '_' ~ suffix | trim if suffix else target.schema -}}
{%- endmacro %}

{#- Whether a node is of this project and not of another package. The rules of this project apply to its own nodes only. A hook of another
    package may run without a node.

    A macro that dbt calls for nodes of other packages names it with this package: dbt looks for a bare name in the package of the node first. -#}
{% macro is_own(node) -%}
    {{- return(node is defined and node is not none and node.package_name == project_name) -}}
{%- endmacro %}

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
