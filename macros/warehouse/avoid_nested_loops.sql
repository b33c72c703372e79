{#- The statement that keeps a load of the whole history from nested loops; nothing for later loads, which read few rows by index.

    A database that was restored or filled has no statistics until autovacuum has been there. The planner then expects one row of a
    CTE and reads all events once for each of them (100,000 tasks and 400,000 events: more than 10 minutes instead of 2 seconds). -#}
{% macro avoid_nested_loops() -%}
    {%- if execute and load_window().loaded_from == '-infinity' -%}
        {{ hash_joins_only() }}
    {%- endif -%}
{%- endmacro %}
