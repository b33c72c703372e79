{#- The tokens of an enum as a SQL list: 'A', 'B'. The enums are in dbt_project.yml and nowhere else. -#}
{% macro enum_tokens(enum) -%}
    '{{ var("enums")[enum] | join("', '") }}'
{%- endmacro %}

{#- Today's token for a stored one: trimmed, in the case of the enum, historical tokens mapped. Unknown tokens stay as they are. -#}
{% macro canonical_token(column, enum) -%}
    {%- set change_case = 'upper' if var('enums')[enum][0] | upper == var('enums')[enum][0] else 'lower' -%}
    {%- set old_tokens = var('historical_tokens').get(enum, {}) -%}
    {%- if old_tokens -%}
    case {{ change_case }}(trim({{ column }}))
        {%- for old, new in old_tokens.items() %}
        when '{{ old }}' then '{{ new }}'
        {%- endfor %}
        else {{ change_case }}(trim({{ column }}))
    end
    {%- else -%}
    {{ change_case }}(trim({{ column }}))
    {%- endif -%}
{%- endmacro %}
