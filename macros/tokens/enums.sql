{#- The tokens of an enum of seeds/tokens.csv as a SQL list by rank: 'A', 'B'. -#}
{% macro enum_tokens(enum) -%}
    {{- sql_list(tokens_of(enum) | map(attribute='token')) -}}
{%- endmacro %}

{% macro closed_tokens(enum) -%}
    {{- sql_list(tokens_of(enum) | selectattr('is_closed') | map(attribute='token')) -}}
{%- endmacro %}

{% macro sql_list(texts) -%}
    {%- for text in texts %}{{ sql_text(text) }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{#- The current token for a stored one: trimmed, in the case of the enum, with historical tokens mapped. Unknown tokens are kept.
    Nearly every stored token is current already, and looking it up is cheaper than changing its case. -#}
{% macro canonical_token(column, enum) -%}
    {%- set tokens = tokens_of(enum) | map(attribute='token') | list -%}
    {%- set historical = reference_rows('historical_tokens', 'enum, historical_token') -%}
    {%- set change_case = upper_case if tokens | join == tokens | join | upper else lower_case -%}
    {%- set changed = change_case(trimmed(column)) -%}
    case
        when {{ column }} in ({{ sql_list(tokens) }}) then {{ column }}
        {%- for row in historical | selectattr('enum', 'equalto', enum) %}
        when {{ changed }} = {{ sql_text(row.historical_token) }} then {{ sql_text(row.token) }}
        {%- endfor %}
        else {{ changed }}
    end
{%- endmacro %}
