{#- Whether the operational database has no organization with this id; NULL for NULL. -#}
{% macro is_unknown_organization(organization_id) -%}
    {{ organization_id }} not in (select known.organization_id from {{ ref('stg_organizations') }} as known)
{%- endmacro %}

{#- The rows of a dimension's operational table with their reject_reason. -#}
{% macro dimension_rows(source_table) -%}
    select * from {{ ref('int_dimensions_checked') }} as checked
    where checked.source_table = '{{ source_table }}'
{%- endmacro %}

{#- The ids of those rows that are accepted, and of those that are rejected. -#}
{% macro accepted_rows(source_table) -%}
    select accepted.source_id from ({{ dimension_rows(source_table) }}) as accepted
    where accepted.is_accepted
{%- endmacro %}

{% macro rejected_rows(source_table) -%}
    select rejected.source_id from ({{ dimension_rows(source_table) }}) as rejected
    where not rejected.is_accepted
{%- endmacro %}
