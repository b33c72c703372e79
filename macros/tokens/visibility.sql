{#- How strict a visibility is: 1 PUBLIC to 4 ANONYMISED. An unknown or missing token is RESTRICTED. -#}
{% macro visibility_rank(token) -%}
    coalesce(array_position(array[{{ enum_tokens('visibility') }}], {{ token }}), {{ restricted_rank() }})
{%- endmacro %}

{#- The visibility of a rank; NULL for NULL. -#}
{% macro visibility_of_rank(rank) -%}
    (array[{{ enum_tokens('visibility') }}])[{{ rank }}]
{%- endmacro %}

{#- The rank below which nothing falls that is tied to a sensitive person. -#}
{% macro restricted_rank() -%}
    {{- tokens_of('visibility') | selectattr('token', 'equalto', 'RESTRICTED') | map(attribute='rank') | join -}}
{%- endmacro %}
