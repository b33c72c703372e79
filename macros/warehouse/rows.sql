{#- Rows, groups and arrays, which engines write differently. -#}

{#- A number of its own for each row of a query, in any order. -#}
{% macro any_number() %}{{ return(adapter.dispatch('any_number', 'orgo_insights')()) }}{% endmacro %}

{#- Whether a condition holds for a row of a group; NULL if it is NULL for all. -#}
{% macro any_true(condition) %}{{ return(adapter.dispatch('any_true', 'orgo_insights')(condition)) }}{% endmacro %}

{#- An array of the given elements, of which none is NULL. -#}
{% macro array_of(elements) %}{{ return(adapter.dispatch('array_of', 'orgo_insights')(elements)) }}{% endmacro %}

{#- What joins the elements that each_element names, after a from clause. -#}
{% macro beside_each_element(array) %}{{ return(adapter.dispatch('beside_each_element', 'orgo_insights')(array)) }}{% endmacro %}

{#- What joins the elements that unnested names, after a from clause. -#}
{% macro beside_unnested(array) %}{{ return(adapter.dispatch('beside_unnested', 'orgo_insights')(array)) }}{% endmacro %}

{#- Before the query of a CTE that several others read and that is planned as a part of each. -#}
{% macro cte_inlined() %}{{ return(adapter.dispatch('cte_inlined', 'orgo_insights')()) }}{% endmacro %}

{#- Before the query of a CTE whose rows are computed once. -#}
{% macro cte_materialized() %}{{ return(adapter.dispatch('cte_materialized', 'orgo_insights')()) }}{% endmacro %}

{#- At the end of a query with costly expressions: what reads it uses their values, and does not compute them again wherever it names them.
    Conditions of what reads it do not get into it either. -#}
{% macro computed_once() %}{{ return(adapter.dispatch('computed_once', 'orgo_insights')()) }}{% endmacro %}

{#- After select: only the first row, in the order of in_order_of, of those that share some columns. -#}
{% macro first_of(columns) %}{{ return(adapter.dispatch('first_of', 'orgo_insights')(columns)) }}{% endmacro %}

{#- Whether an array has an element. -#}
{% macro has_element(array, element) %}{{ return(adapter.dispatch('has_element', 'orgo_insights')(array, element)) }}{% endmacro %}

{#- At the end of a query that begins with first_of: the order in which a row is the first. -#}
{% macro in_order_of(columns, order_by) %}{{ return(adapter.dispatch('in_order_of', 'orgo_insights')(columns, order_by)) }}{% endmacro %}

{#- The texts of some values with a text between them, without those that are NULL. -#}
{% macro joined(separator, values) %}{{ return(adapter.dispatch('joined', 'orgo_insights')(separator, values)) }}{% endmacro %}

{#- The texts of a group in an order, with a text between them. -#}
{% macro listed(text, separator, order_by) %}{{ return(adapter.dispatch('listed', 'orgo_insights')(text, separator, order_by)) }}{% endmacro %}

{#- The whole numbers from 1 on, as a relation of a from clause. -#}
{% macro numbers_to(last, alias, column) %}{{ return(adapter.dispatch('numbers_to', 'orgo_insights')(last, alias, column)) }}{% endmacro %}

{#- The ids of a group as an array, in an order. -#}
{% macro ordered_elements(id, order_by) %}{{ return(adapter.dispatch('ordered_elements', 'orgo_insights')(id, order_by)) }}{% endmacro %}

{#- The greatest of the lists of three whole numbers that the rows of a group have: by the first, then the second, then the third. -#}
{% macro peak(numbers) %}{{ return(adapter.dispatch('peak', 'orgo_insights')(numbers)) }}{% endmacro %}

{#- A number of what peak gives, by its place from 1 on. -#}
{% macro peak_value(peak, place) %}{{ return(adapter.dispatch('peak_value', 'orgo_insights')(peak, place)) }}{% endmacro %}

{#- Some rows of expressions over the row to their left, as a relation of a from clause, after cross join lateral. -#}
{% macro rows_beside(alias, columns, rows) %}{{ return(adapter.dispatch('rows_beside', 'orgo_insights')(alias, columns, rows)) }}{% endmacro %}

{#- Whether two lists of expressions have equal values, NULLs being equal. -#}
{% macro same_row(these, those) %}{{ return(adapter.dispatch('same_row', 'orgo_insights')(these, those)) }}{% endmacro %}

{#- A row for each element of an array, which has a type. -#}
{% macro unnested(array, type) %}{{ return(adapter.dispatch('unnested', 'orgo_insights')(array, type)) }}{% endmacro %}

{#- The columns of a relation with its alias, as a list. -#}
{% macro columns_of(alias, columns) -%}
    {%- set qualified = [] -%}
    {%- for column in columns %}{% do qualified.append(alias ~ '.' ~ column) %}{% endfor -%}
    {{- return(qualified) -}}
{%- endmacro %}

{#- A relation of a from clause with what most_frequent needs, in Snowflake: how often the rows of a key have a text, of the rows that meet each
    condition; '' for all. -#}
{% macro beside_frequencies(relation, key, text, conditions) %}{{ return(adapter.dispatch('beside_frequencies', 'orgo_insights')(relation, key, text, conditions)) }}{% endmacro %}

{#- A text that tells the rows of a relation of the source from each other. -#}
{% macro row_text(alias, columns) %}{{ return(adapter.dispatch('row_text', 'orgo_insights')(alias, columns)) }}{% endmacro %}

{#- Between `cross join` and a relation that reads the row to its left. -#}
{% macro lateral() %}{{ return(adapter.dispatch('lateral', 'orgo_insights')()) }}{% endmacro %}

{#- The statement that deletes the rows of a relation for which another relation has a row that meets a condition. -#}
{% macro delete_matching(relation, alias, other, other_alias, condition) %}{{ return(adapter.dispatch('delete_matching', 'orgo_insights')(relation, alias, other, other_alias, condition)) }}{% endmacro %}

{#- Whether two arrays have the same elements in the same order. -#}
{% macro same_elements(these, those) %}{{ return(adapter.dispatch('same_elements', 'orgo_insights')(these, those)) }}{% endmacro %}

{#- Some rows of constants, as a relation of a from clause. -#}
{% macro rows_of(alias, columns, rows) %}{{ return(adapter.dispatch('rows_of', 'orgo_insights')(alias, columns, rows)) }}{% endmacro %}

{#- Whether a row has the same values in some columns as a row of a query, which selects columns with the same names; none of them is NULL. -#}
{% macro is_among(columns, query) %}{{ return(adapter.dispatch('is_among', 'orgo_insights')(columns, query)) }}{% endmacro %}
