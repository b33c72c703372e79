{#- The aggregates of macros/warehouse/values.sql in PostgreSQL. -#}

{% macro postgres__most_frequent(text, condition) -%}
    mode() within group (order by {{ text }} collate "C"){{ ' filter (where ' ~ condition ~ ')' if condition }}
{%- endmacro %}

{% macro postgres__distinct_elements(text, condition) -%}
    (array_agg(distinct {{ text }} collate "C" order by {{ text }} collate "C"){{ ' filter (where ' ~ condition ~ ')' if condition }}) collate "default"
{%- endmacro %}

{#- A filter: for a group without such rows nothing is sorted. -#}
{% macro postgres__percentile(share, value, condition) -%}
    percentile_cont({{ share }}) within group (order by {{ value }}){{ ' filter (where ' ~ condition ~ ')' if condition }}
{%- endmacro %}
