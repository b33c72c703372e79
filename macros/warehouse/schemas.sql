{#- Marts are built in exactly the target's schema, everything else in <schema>_staging, _snapshots and _ops. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- target.schema if custom_schema_name is none else target.schema ~ '_' ~ custom_schema_name | trim -}}
{%- endmacro %}

{#- dbt calls this only for a missing schema. `insights init` creates the schemas with their grants. -#}
{% macro postgres__create_schema(relation) -%}
    {{ exceptions.raise_compiler_error(
        "The schema " ~ relation.without_identifier() ~ " does not exist. Prepare this database first: insights init"
    ) }}
{%- endmacro %}
