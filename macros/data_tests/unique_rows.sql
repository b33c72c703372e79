{#- Leaves the rows that may share their key with one that was written since the test last passed: those that agree with it in the columns
    of the key that are never NULL. All rows if every column of the key may be NULL. -#}
{% macro with_unchecked_keys(relation, columns) -%}
    {%- set node = orgo_insights.tested_model() -%}
    {%- set condition = unchecked_rows(node) if node else none -%}
    {%- set filled = columns | select('in', filled_columns(node)) | join(', ') if condition else '' -%}
    {%- if filled -%}
where ({{ filled }}) in (select {{ filled }} from {{ relation }} where {{ condition }})
    {%- endif -%}
{%- endmacro %}
