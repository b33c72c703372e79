{#- The expressions of macros/warehouse/rows.sql in Snowflake. An array is an ARRAY of texts: ids are cast to text and back. -#}

{% macro snowflake__any_number() -%} row_number() over (order by null) {%- endmacro %}

{% macro snowflake__any_true(condition) -%} boolor_agg({{ condition }}) {%- endmacro %}

{% macro snowflake__array_of(elements) -%} array_construct_compact({{ elements | join(', ') }}) {%- endmacro %}

{#- What elements_of_group collects is an array of arrays. -#}
{% macro snowflake__beside_each_element(array) -%}
    cross join lateral flatten(input => {{ array }}) as arrays cross join lateral flatten(input => arrays.value) as elements
{%- endmacro %}

{% macro snowflake__beside_frequencies(relation, key, text, conditions) -%}
    (
        select
            {{ relation }}.*
            {%- for condition in conditions %},
            count({{ 'case when ' ~ condition ~ ' then 1 end' if condition else '*' }}) over (partition by {{ key }}, {{ text }}) as frequency_{{ local_md5(condition) }}
            {%- endfor %}
        from {{ relation }}
    ) as {{ relation }}
{%- endmacro %}

{% macro snowflake__beside_unnested(array) -%} cross join lateral flatten(input => {{ array }}) as elements {%- endmacro %}

{#- Snowflake decides by itself. -#}
{% macro snowflake__cte_inlined() %}{% endmacro %}

{% macro snowflake__cte_materialized() %}{% endmacro %}

{% macro snowflake__first_of(columns) %}{% endmacro %}

{% macro snowflake__has_element(array, element) -%} contains(to_json({{ array }}), to_json(to_variant({{ element }}))) {%- endmacro %}

{% macro snowflake__in_order_of(columns, order_by) -%}
    qualify row_number() over (partition by {{ columns | join(', ') }} order by {{ order_by | join(', ') }}) = 1
{%- endmacro %}

{#- concat_ws would be NULL if one of them is. -#}
{% macro snowflake__joined(separator, values) -%}
    array_to_string(array_compact(array_construct(
            {%- for value in values %}cast({{ value }} as varchar){{ ', ' if not loop.last }}{% endfor -%}
        )), {{ sql_text(separator) }})
{%- endmacro %}

{% macro snowflake__listed(text, separator, order_by) -%}
    listagg({{ text }}, {{ sql_text(separator) }}) within group (order by {{ order_by | join(', ') }})
{%- endmacro %}

{% macro snowflake__numbers_to(last, alias, column) -%}
    (select row_number() over (order by seq4()) as {{ column }} from table(generator(rowcount => {{ last }}))) as {{ alias }}
{%- endmacro %}

{% macro snowflake__ordered_elements(id, order_by) -%}
    array_agg(cast({{ id }} as varchar)) within group (order by {{ order_by | join(', ') }})
{%- endmacro %}

{#- Arrays have no order, so the numbers are places of one. The second and the third are days from 1900 to 2173 as their distance from
    January 1, 2000, the first is a count. -#}
{% macro snowflake__peak(numbers) -%}
    max({{ numbers[0] }} * 10000000000 + ({{ numbers[1] }} + 36525) * 100000 + {{ numbers[2] }} + 36525)
{%- endmacro %}

{% macro snowflake__peak_value(peak, place) -%}
    {%- if place == 1 -%} cast(({{ peak }} - mod({{ peak }}, 10000000000)) / 10000000000 as bigint)
    {%- elif place == 2 -%} cast((mod({{ peak }}, 10000000000) - mod({{ peak }}, 100000)) / 100000 - 36525 as bigint)
    {%- else -%} cast(mod({{ peak }}, 100000) - 36525 as bigint)
    {%- endif -%}
{%- endmacro %}

{#- A case for each column, because rows of values cannot name columns of another relation. -#}
{% macro snowflake__rows_beside(alias, columns, rows) -%}
    (
        select
            {%- for column in columns %}
            {%- set place = loop.index0 %}
            case numbers.number{% for row in rows %} when {{ loop.index }} then {{ row[place] }}{% endfor %} end as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from (values {% for row in rows %}({{ loop.index }}){{ ', ' if not loop.last }}{% endfor %}) as numbers (number)
    ) as {{ alias }}
{%- endmacro %}

{% macro snowflake__same_row(these, those) -%}
    ({% for this, that in zip(these, those) %}{{ ' and ' if not loop.first }}{{ this }} is not distinct from {{ that }}{% endfor %})
{%- endmacro %}

{% macro snowflake__unnested(array, type) -%} cast(elements.value as {{ type_of(type) }}) {%- endmacro %}

{% macro snowflake__row_text(alias, columns) -%} hash({{ alias }}.{{ columns | join(', ' ~ alias ~ '.') }}) {%- endmacro %}
