{#- Whether the rows that a column refers to are identified by their organization too, and the referring rows have one. -#}
{% macro is_of_organization(reference) %}
    {% set node = orgo_insights.tested_model() %}
    {% set key = key_or_none(reference.to) if node else none %}
    {{ return(key is not none and key | sort == ['organization_id', reference.field] | sort and 'organization_id' in node.columns) }}
{% endmacro %}
