{#- What an engine whose reports follow changes (`follows_changes`) has in addition: former rows as JSON, and a delete that waits for nobody. -#}

{#- A JSON object of some columns of a row. -#}
{% macro row_as_json(row, columns) %}{{ return(adapter.dispatch('row_as_json', 'orgo_insights')(row, columns)) }}{% endmacro %}

{#- A row of a relation, in a `from` clause, from such an object. -#}
{% macro row_of_json(contents, relation) %}{{ return(adapter.dispatch('row_of_json', 'orgo_insights')(contents, relation)) }}{% endmacro %}

{#- The rows of a group that meet a condition, with some of their columns, as a JSON array in an order; NULL if there are none. -#}
{% macro rows_as_json(columns, order_by, condition) %}{{ return(adapter.dispatch('rows_as_json', 'orgo_insights')(columns, order_by, condition)) }}{% endmacro %}

{#- The rows of such an array, in a `from` clause; `columns` is {name: type}. -#}
{% macro rows_of_json(contents, columns) %}{{ return(adapter.dispatch('rows_of_json', 'orgo_insights')(contents, columns)) }}{% endmacro %}

{#- Deletes the rows of a relation, `former` in the condition, that no other session is about to change. -#}
{% macro delete_unlocked(relation, condition) %}{{ return(adapter.dispatch('delete_unlocked', 'orgo_insights')(relation, condition)) }}{% endmacro %}
