{#- Rows refer to each other by id, and an id may be one of another organization. Such a reference is foreign: it is flagged and never
    followed, so that no row of one organization changes a number of another (decision D130). -#}

{#- Whether the row that `alias` refers to, joined by its id, belongs to another organization; false if there is no such row. -#}
{% macro is_foreign(alias, other) -%}
    coalesce({{ other }}.organization_id <> {{ alias }}.organization_id, false)
{%- endmacro %}

{#- pre-hook of a mart whose key is the organization and an id: deletes the rows of ids that another organization has now, in the
    transaction that writes them under that organization. `relation` holds the ids that this load writes, or more. -#}
{% macro delete_moved_rows(relation) %}
    {% if is_incremental() %}
    {%- set id = key_columns() | reject('equalto', 'organization_id') | first %}
    {{ delete_matching(this, 'former', relation, 'moved', 'former.' ~ id ~ ' = moved.' ~ id ~ ' and ' ~ is_foreign('former', 'moved')) }}
    {% endif %}
{% endmacro %}
