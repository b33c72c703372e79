{#- pre-hook: drops columns that a former release stored in this incremental table; dbt adds columns to it, but drops none. A view of others
    that reads such a column stops the load, and the message names it. -#}
{% macro postgres__drop_former_columns(columns) %}
    {%- if not execute or not is_incremental() %}{{ return('') }}{% endif -%}
    {%- set stored = get_columns_in_relation(this) | map(attribute='name') | select('in', columns) | list -%}
    {%- if not stored %}{{ return('') }}{% endif -%}
    {%- do lock_briefly(this.incorporate(type='table')) -%}
    alter table {{ this }} drop column {{ stored | join(', drop column ') }}
{% endmacro %}
