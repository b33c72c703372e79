{#- The source of a case without tasks: its reference, else its channel (decision D4). -#}
{% macro own_source_keys(cases) -%}
    array[coalesce('reference:' || nullif(trim(both ' ' from {{ cases }}.source_reference), ''), 'channel:' || {{ cases }}.source_type)]
{%- endmacro %}
