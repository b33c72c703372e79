{#- The source of a case without tasks: its reference, else its channel (decision D4). -#}
{% macro own_source_keys(cases) -%}
    {{ array_of([
        "coalesce('reference:' || nullif(" ~ trimmed(cases ~ '.source_reference') ~ ", ''), 'channel:' || " ~ cases ~ '.source_type)'
    ]) }}
{%- endmacro %}
