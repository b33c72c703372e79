{#- Temporary tables in PostgreSQL. -#}
{% macro postgres__temporary(name) -%} pg_temp.{{ name }} {%- endmacro %}

{% macro postgres__keep_temporarily(name, query) -%}
    create temporary table {{ name }} on commit drop as {{ query }};
    analyze pg_temp.{{ name }}
{%- endmacro %}
