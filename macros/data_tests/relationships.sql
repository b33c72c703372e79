{#- dbt's test `relationships`, but a reference to a row that is identified by its organization too must be to one of the same organization.
    The join is then along the key of both. -#}
{% macro postgres__test_relationships(model, column_name, to, field) %}
    {%- set node = orgo_insights.tested_model() -%}
    {%- set key = key_or_none(to) if node else none -%}
    {%- if not key or key | sort != ['organization_id', field] | sort or 'organization_id' not in node.columns -%}
        {{ return(default__test_relationships(model, column_name, to, field)) }}
    {%- endif -%}
with child as (
    select
        organization_id,
        {{ column_name }} as from_field
    from {{ model }}
    where {{ column_name }} is not null
)

select child.*
from child
left join {{ to }} as parent on child.organization_id = parent.organization_id and child.from_field = parent.{{ field }}
where parent.{{ field }} is null
{% endmacro %}
