{#- Settings of PostgreSQL's planner for one transaction. -#}
{% macro postgres__hash_joins_only() %} set local enable_nestloop = off {% endmacro %}

{#- The planner underestimates the rows of a CTE and would compare all groups with each other, or sort all cases to join or to group them. JIT
    compilation takes longer than the review. -#}
{% macro postgres__plan_review() %}
    set local enable_nestloop = off;
    set local enable_mergejoin = off;
    set local enable_sort = off;
    set local jit = off
{% endmacro %}

{#- The planner merges a query into the one that reads it, unless it has a limit or an offset. -#}
{% macro postgres__computed_once() -%} offset 0 {%- endmacro %}

{% macro postgres__follows_changes() %}{{ return(true) }}{% endmacro %}
