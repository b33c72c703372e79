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
