{#- Relations of the previous load are declared as sources, so that the lineage shows them. A ref would be a cycle, since they are built
    from the models that read them. -#}

{#- A mart in the state that the previous load left it in. Unit tests override it. -#}
{% macro stored_mart(name) -%}
    {{- return(source('previous_load', name)) -}}
{%- endmacro %}

{#- A relation if the database has it, else none: nothing is stored before the first load. -#}
{% macro if_stored(relation) -%}
    {{- return(load_relation(relation) if execute else none) -}}
{%- endmacro %}
