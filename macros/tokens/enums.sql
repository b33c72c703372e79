{#- The tokens of an enum as a SQL list: 'A', 'B'. The enums are in dbt_project.yml and nowhere else. -#}
{% macro enum_tokens(enum) -%}
    '{{ var("enums")[enum] | join("', '") }}'
{%- endmacro %}

{#- Today's token for a stored one: trimmed, in the case of the enum, historical tokens mapped. Unknown tokens stay as they are.
    Nearly every stored token is one of today's already, and looking it up is cheaper than changing its case. -#}
{% macro canonical_token(column, enum) -%}
    {%- set change_case = 'upper' if var('enums')[enum][0] | upper == var('enums')[enum][0] else 'lower' -%}
    case
        when {{ column }} in ({{ enum_tokens(enum) }}) then {{ column }}
        {%- for old, new in var('historical_tokens').get(enum, {}).items() %}
        when {{ change_case }}(trim({{ column }})) = '{{ old }}' then '{{ new }}'
        {%- endfor %}
        else {{ change_case }}(trim({{ column }}))
    end
{%- endmacro %}
