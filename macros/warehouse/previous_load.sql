{#- What the previous load left is declared as sources, so that the lineage shows it: a ref would be a cycle, since these relations are
    built from the models that read them. -#}

{#- A mart as the previous load left it. Unit tests override it. -#}
{% macro stored_mart(name) -%}
    {{- return(source('previous_load', name)) -}}
{%- endmacro %}

{#- A relation if the database has it, else none: nothing is stored before the first load. -#}
{% macro if_stored(relation) -%}
    {{- return(load_relation(relation) if execute else none) -}}
{%- endmacro %}
