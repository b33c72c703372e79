{% macro visibility_rank(token) -%}
    coalesce({{ rank_of_token('visibility', token) }}, {{ restricted_rank() }})
{%- endmacro %}

{% macro visibility_of_rank(rank) -%}
    {{ token_of_rank('visibility', rank) }}
{%- endmacro %}

{#- The lowest rank that a row tied to a sensitive person may have. -#}
{% macro restricted_rank() -%}
    {{- tokens_of('visibility') | selectattr('token', 'equalto', 'RESTRICTED') | map(attribute='rank') | join -}}
{%- endmacro %}
