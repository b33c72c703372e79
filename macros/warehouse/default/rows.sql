{#- Rows, groups and arrays in the SQL that PostgreSQL and DuckDB share. -#}

{% macro default__any_number() -%} row_number() over () {%- endmacro %}

{% macro default__any_true(condition) -%} bool_or({{ condition }}) {%- endmacro %}

{% macro default__array_of(elements) -%} array[{{ elements | join(', ') }}] {%- endmacro %}

{% macro default__beside_each_element(array) %}{% endmacro %}

{% macro default__beside_unnested(array) %}{% endmacro %}

{% macro default__computed_once() %}{% endmacro %}

{% macro default__cte_inlined() -%} not materialized {%- endmacro %}

{% macro default__cte_materialized() -%} materialized {%- endmacro %}

{% macro default__first_of(columns) -%} distinct on ({{ columns | join(', ') }}) {%- endmacro %}

{% macro default__has_element(array, element) -%} {{ element }} = any({{ array }}) {%- endmacro %}

{% macro default__in_order_of(columns, order_by) -%} order by {{ (columns + order_by) | join(', ') }} {%- endmacro %}

{% macro default__joined(separator, values) -%} concat_ws({{ sql_text(separator) }}, {{ values | join(', ') }}) {%- endmacro %}

{% macro default__listed(text, separator, order_by) -%} string_agg({{ text }}, {{ sql_text(separator) }} order by {{ order_by | join(', ') }}) {%- endmacro %}

{% macro default__numbers_to(last, alias, column) -%} generate_series(1, {{ last }}) as {{ alias }} ({{ column }}) {%- endmacro %}

{% macro default__ordered_elements(id, order_by) -%} array_agg({{ id }} order by {{ order_by | join(', ') }}) {%- endmacro %}

{% macro default__peak(numbers) -%} max(array[{{ numbers | join(', ') }}]) {%- endmacro %}

{% macro default__peak_value(peak, place) -%} {{ peak }}[{{ place }}] {%- endmacro %}

{% macro default__rows_beside(alias, columns, rows) -%}
    (
        values
        {%- for row in rows %}
        ({{ row | join(', ') }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as {{ alias }} ({{ columns | join(', ') }})
{%- endmacro %}

{% macro default__same_row(these, those) -%} row({{ these | join(', ') }}) is not distinct from row({{ those | join(', ') }}) {%- endmacro %}

{% macro default__unnested(array, type) -%} unnest({{ array }}) {%- endmacro %}

{% macro default__beside_frequencies(relation, key, text, conditions) -%} {{ relation }} {%- endmacro %}

{% macro default__row_text(alias, columns) -%} cast({{ alias }} as text) {%- endmacro %}

{% macro default__lateral() -%} lateral {%- endmacro %}

{% macro default__delete_matching(relation, alias, other, other_alias, condition) -%}
    delete from {{ relation }} as {{ alias }}
    using {{ other }} as {{ other_alias }}
    where {{ condition }}
{%- endmacro %}

{% macro default__same_elements(these, those) -%} {{ these }} = {{ those }} {%- endmacro %}

{% macro default__percentile(share, value, condition) -%}
    percentile_cont({{ share }}) within group (order by {{ 'case when ' ~ condition ~ ' then ' ~ value ~ ' end' if condition else value }})
{%- endmacro %}

{% macro default__tenths(seconds) -%} cast(cast({{ seconds }} as numeric(18, 6)) as numeric(12, 1)) {%- endmacro %}

{% macro default__rows_of(alias, columns, rows) -%} {{ default__rows_beside(alias, columns, rows) }} {%- endmacro %}

{% macro default__is_among(columns, query) -%} ({{ columns | join(', ') }}) in ({{ query }}) {%- endmacro %}
