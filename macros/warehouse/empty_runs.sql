{#- `--empty` is a dry run of a project on a scratch database. dbt puts a subquery with an alias of its own in the place of each relation,
    which is a syntax error where the SQL names another alias. Here the operational tables are read without rows (`source_select`), and the
    rest of the project reads its own relations, which are then empty. -#}
{% macro ref() -%}
    {{- return(orgo_insights.without_limit(builtins.ref(*varargs, **kwargs))) -}}
{%- endmacro %}

{% macro source() -%}
    {{- return(orgo_insights.without_limit(builtins.source(*varargs))) -}}
{%- endmacro %}

{#- A relation of a node of this project, as it is without `--empty`. -#}
{% macro without_limit(relation) -%}
    {{- return(relation.replace(limit=none) if orgo_insights.is_empty_run() and orgo_insights.is_own(model) else relation) -}}
{%- endmacro %}

{#- Whether dbt was called with `--empty`, a flag of the commands that build. -#}
{% macro is_empty_run() -%}
    {{- return(flags.EMPTY | default(false)) -}}
{%- endmacro %}
