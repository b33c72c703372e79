{% macro visibility_rank(token) -%}
    coalesce(array_position(array[{{ enum_tokens('visibility') }}], {{ token }}), {{ restricted_rank() }})
{%- endmacro %}

{% macro visibility_of_rank(rank) -%}
    (array[{{ enum_tokens('visibility') }}])[{{ rank }}]
{%- endmacro %}

{#- The lowest rank that a row tied to a sensitive person may have. -#}
{% macro restricted_rank() -%}
    {{- tokens_of('visibility') | selectattr('token', 'equalto', 'RESTRICTED') | map(attribute='rank') | join -}}
{%- endmacro %}
