{#- The column whose values identify the rows of an operational table: its id, else its organization; none if several columns do. -#}
{% macro identity_of(table) %}
    {% set columns = contract_columns(table) %}
    {{ return(['id', 'organization_id'] | select('in', columns) | first | default(none)) }}
{% endmacro %}

{#- How many rows of an operational table have the identity of another row, or none. A view, a foreign table or a materialized view may have
    such rows. They are counted, in one pass, only where no unique index rules them out. -#}
{% macro repeated_rows(table) %}
    {% set identity = identity_of(table) %}
    {% if not execute or not identity %}{{ return(0) }}{% endif %}
    {% if identity not in drifted_columns(table) and identifies_rows(source('orgo', table), identity) %}{{ return(0) }}{% endif %}
    {% set counted = 'select count(*) - count(distinct ' ~ identity ~ ') as repeated from (' ~ source_select(table) ~ ') as readable' %}
    {{ return(fetched(counted).rows[0]['repeated'] | int) }}
{% endmacro %}

{#- The operational tables with such rows, each with their number. -#}
{% macro repeated_tables() %}
    {% set found = {} %}
    {% for node in graph.get('sources', {}).values() if execute and node.source_name == 'orgo' %}
        {% set rows = repeated_rows(node.name) %}
        {% if rows %}{% do found.update({node.name: rows}) %}{% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- A select of the rows of an operational table, without those that repeat the identity of another row or have none: the newest counts. -#}
{% macro without_repeated_rows(table) -%}
    {%- set identity = identity_of(table) -%}
    {%- set moment = ['updated_at', 'created_at'] | select('in', contract_columns(table)) | first -%}
        select {{ first_of([identity]) }} *
        from ({{ source_select(table) }}
        ) as readable
        where {{ identity }} is not null
        {{ in_order_of([identity], ([moment ~ ' desc nulls last'] if moment else []) + [row_text('readable', contract_columns(table))]) }}
{%- endmacro %}
