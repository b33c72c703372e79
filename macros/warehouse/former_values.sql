{#- What an engine whose reports follow changes (`follows_changes`) has in addition: former rows as JSON, and a delete that skips locked rows. -#}

{#- A JSON object of some columns of a row. -#}
{% macro row_as_json(row, columns) %}{{ return(adapter.dispatch('row_as_json', 'orgo_insights')(row, columns)) }}{% endmacro %}
{% macro default__row_as_json(row, columns) %}{{ exceptions.raise_not_implemented('row_as_json of ' ~ adapter.type()) }}{% endmacro %}

{#- A row of a relation, in a `from` clause, from such an object. -#}
{% macro row_of_json(contents, relation) %}{{ return(adapter.dispatch('row_of_json', 'orgo_insights')(contents, relation)) }}{% endmacro %}
{% macro default__row_of_json(contents, relation) %}{{ exceptions.raise_not_implemented('row_of_json of ' ~ adapter.type()) }}{% endmacro %}

{#- The rows of a group that meet a condition, with some of their columns, as a JSON array in an order; NULL if there are none. -#}
{% macro rows_as_json(columns, order_by, condition) %}{{ return(adapter.dispatch('rows_as_json', 'orgo_insights')(columns, order_by, condition)) }}{% endmacro %}
{% macro default__rows_as_json(columns, order_by, condition) %}{{ exceptions.raise_not_implemented('rows_as_json of ' ~ adapter.type()) }}{% endmacro %}

{#- The rows of such an array, in a `from` clause; `columns` is {name: type}. -#}
{% macro rows_of_json(contents, columns) %}{{ return(adapter.dispatch('rows_of_json', 'orgo_insights')(contents, columns)) }}{% endmacro %}
{% macro default__rows_of_json(contents, columns) %}{{ exceptions.raise_not_implemented('rows_of_json of ' ~ adapter.type()) }}{% endmacro %}

{#- Deletes the rows of a relation, `former` in the condition, that no other session is about to change. -#}
{% macro delete_unlocked(relation, condition) %}{{ return(adapter.dispatch('delete_unlocked', 'orgo_insights')(relation, condition)) }}{% endmacro %}
{% macro default__delete_unlocked(relation, condition) %}{{ exceptions.raise_not_implemented('delete_unlocked of ' ~ adapter.type()) }}{% endmacro %}
