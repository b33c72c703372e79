{#- dbt's snapshot times have no time zone; Orgo's updated_at has one, and the two must not be mixed. -#}
{% macro postgres__snapshot_get_time() -%}
    {{ current_timestamp() if orgo_insights.is_own(model) else dbt.postgres__snapshot_get_time() }}
{%- endmacro %}
