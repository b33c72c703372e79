{#- JSON values, by the engine of the warehouse. -#}

{#- A JSON object of some members, {name: SQL}; without those that are NULL. -#}
{% macro json_object_of(members) %}{{ return(adapter.dispatch('json_object_of', 'orgo_insights')(members)) }}{% endmacro %}

{#- A JSON array of some values. -#}
{% macro json_array_of(values) %}{{ return(adapter.dispatch('json_array_of', 'orgo_insights')(values)) }}{% endmacro %}

{#- One JSON object with the members of another. -#}
{% macro json_merged(one, other) %}{{ return(adapter.dispatch('json_merged', 'orgo_insights')(one, other)) }}{% endmacro %}

{#- A value, such as an array, as JSON. -#}
{% macro json_of(value) %}{{ return(adapter.dispatch('json_of', 'orgo_insights')(value)) }}{% endmacro %}

{#- The JSON value that a text describes. -#}
{% macro parsed_json(text) %}{{ return(adapter.dispatch('parsed_json', 'orgo_insights')(text)) }}{% endmacro %}

{#- The text of a member of a JSON document; `path` is a list of names. -#}
{% macro json_member(document, path) %}{{ return(adapter.dispatch('json_member', 'orgo_insights')(document, path)) }}{% endmacro %}

{#- Whether a JSON value is an object; NULL for NULL. -#}
{% macro is_json_object(value) %}{{ return(adapter.dispatch('is_json_object', 'orgo_insights')(value)) }}{% endmacro %}

{#- The text of the JSON array of some values, as PostgreSQL prints it: ids are hashes of such texts. -#}
{% macro json_array_text(values) %}{{ return(adapter.dispatch('json_array_text', 'orgo_insights')(values)) }}{% endmacro %}

{#- A member of a JSON object as text, or a JSON string without its quotes; NULL for any other value. -#}
{% macro json_text(column, key) %}{{ return(adapter.dispatch('json_text', 'orgo_insights')(column, key)) }}{% endmacro %}
