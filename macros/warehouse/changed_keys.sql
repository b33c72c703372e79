{#- What a load recomputes is kept in a temporary table with statistics, so that the planner knows how many rows the joins with it have.
    For a CTE it guesses, and reads either whole tables for a few rows or one row at a time for thousands. -#}

{#- pre-hook of a delta table: keeps the keys that `query` selects as the temporary table `changed` until the transaction ends. A load of the whole
    history has no use for them. -#}
{% macro keep_changed_keys(query) -%}
    {%- if execute and keeps_changed_keys() and load_window().loaded_from != '-infinity' -%}
        {{ keep_temporarily('changed', query) }}
    {%- endif -%}
{%- endmacro %}

{#- The keys for the model's query: the table that the pre-hook filled; where no pre-hook runs, the query itself. -#}
{% macro changed_keys(query) -%}
    {{- 'select * from ' ~ temporary('changed') if execute and keeps_changed_keys() else query -}}
{%- endmacro %}

{% macro keeps_changed_keys() -%}
    {{- return(model.resource_type == 'model' and flags.WHICH in ('build', 'run', 'retry')) -}}
{%- endmacro %}
