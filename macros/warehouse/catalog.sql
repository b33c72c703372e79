{#- What the catalog of the warehouse knows, by its engine. -#}

{#- The columns of an operational table that this role may read: {name: type}. The type is enum or user-defined if it is not one of the engine. -#}
{% macro readable_columns(table) %}{{ return({} if not execute else adapter.dispatch('readable_columns', 'orgo_insights')(table)) }}{% endmacro %}

{#- A column of another type than the contract names, converted; a value that cannot be converted becomes NULL. -#}
{% macro converted_column(name, actual, wanted) %}{{ return(adapter.dispatch('converted_column', 'orgo_insights')(name, actual, wanted)) }}{% endmacro %}

{#- Whether the database rules out that two rows of a relation are equal in these columns, NULLs being equal. -#}
{% macro is_unique_by_index(relation, columns) %}{{ return(adapter.dispatch('is_unique_by_index', 'orgo_insights')(relation, columns)) }}{% endmacro %}

{#- Whether this role may add rows to a relation. -#}
{% macro may_write(relation) %}{{ return(adapter.dispatch('may_write', 'orgo_insights')(relation)) }}{% endmacro %}

{#- Whether this database has what `insights init` of this release makes. -#}
{% macro is_prepared() %}{{ return(adapter.dispatch('is_prepared', 'orgo_insights')()) }}{% endmacro %}

{#- An expression: whether this is the serving database of `insights publish`, whose rows loads must not change. -#}
{% macro is_serving() %}{{ return(adapter.dispatch('is_serving', 'orgo_insights')()) }}{% endmacro %}

{#- The relations of the schema with one of these names that this project did not build, joined by commas; none if there are none. -#}
{% macro foreign_relations(names) %}{{ return(adapter.dispatch('foreign_relations', 'orgo_insights')(names)) }}{% endmacro %}

{#- A column of a row, NULL where the table of a former release lacks it. -#}
{% macro column_of_row(row, column, data_type) %}{{ return(adapter.dispatch('column_of_row', 'orgo_insights')(row, column, data_type)) }}{% endmacro %}

{#- A select of the columns of the operational tables: table_name, column_name, actual_type in the terms of the contract, is_readable. -#}
{% macro source_columns() %}{{ return(adapter.dispatch('source_columns', 'orgo_insights')()) }}{% endmacro %}

{#- Whether the database rules out that a column of an operational table is NULL, or has the same value in two rows. -#}
{% macro identifies_rows(relation, column) %}{{ return(adapter.dispatch('identifies_rows', 'orgo_insights')(relation, column)) }}{% endmacro %}

{#- The names of the columns of a relation, in small letters. -#}
{% macro column_names(relation) -%}
    {{- return(get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list) -}}
{%- endmacro %}

{#- The result of a query, with the names of its columns in small letters. -#}
{% macro fetched(query) %}{{ return(adapter.dispatch('fetched', 'orgo_insights')(query)) }}{% endmacro %}
{% macro default__fetched(query) %}{{ return(run_query(query)) }}{% endmacro %}

{#- The latest as_of that a load takes. -#}
{% macro latest_as_of() %}{{ return(adapter.dispatch('latest_as_of', 'orgo_insights')()) }}{% endmacro %}

{#- The earliest event date that a retention class keeps at a horizon, with days of retention. -#}
{% macro cutoff_of_class(retention_class, horizon, days) %}{{ return(adapter.dispatch('cutoff_of_class', 'orgo_insights')(retention_class, horizon, days)) }}{% endmacro %}

{#- The statement that keeps the results of data tests: `rows` selects test_name, status, failures, invocation_id, checked_through and recounted_at. -#}
{% macro store_test_results(relation, rows) %}{{ return(adapter.dispatch('store_test_results', 'orgo_insights')(relation, rows)) }}{% endmacro %}

{#- A type of the source contract or of a model, as the engine names it. -#}
{% macro type_of(name) %}{{ return(adapter.dispatch('type_of', 'orgo_insights')(name)) }}{% endmacro %}
{% macro default__type_of(name) %}{{ return(name) }}{% endmacro %}

{#- An expression for the number of a new row of the log of loads; nothing where the database counts. -#}
{% macro log_number() %}{{ return(adapter.dispatch('log_number', 'orgo_insights')()) }}{% endmacro %}
{% macro default__log_number() %}{% endmacro %}
