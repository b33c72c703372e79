{#- The expressions of macros/warehouse/rows.sql in BigQuery. -#}

{% macro bigquery__any_number() -%} row_number() over () {%- endmacro %}

{% macro bigquery__any_true(condition) -%} logical_or({{ condition }}) {%- endmacro %}

{% macro bigquery__array_of(elements) -%} [{{ elements | join(', ') }}] {%- endmacro %}

{#- What elements_of_group collects are structs, because an array has no arrays. -#}
{% macro bigquery__beside_each_element(array) -%}
    cross join unnest({{ array }}) as holders cross join unnest(holders.elements) as element
{%- endmacro %}

{% macro bigquery__beside_frequencies(relation, key, text, conditions) -%}
    (
        select
            {{ relation }}.*
            {%- for condition in conditions %},
            count({{ 'case when ' ~ condition ~ ' then 1 end' if condition else '*' }}) over (partition by {{ key }}, {{ text }}) as frequency_{{ local_md5(condition) }}
            {%- endfor %}
        from {{ relation }}
    ) as {{ relation }}
{%- endmacro %}

{% macro bigquery__beside_unnested(array) -%} cross join unnest({{ array }}) as element {%- endmacro %}

{#- BigQuery decides by itself. -#}
{% macro bigquery__cte_inlined() %}{% endmacro %}

{% macro bigquery__cte_materialized() %}{% endmacro %}

{% macro bigquery__first_of(columns) %}{% endmacro %}

{% macro bigquery__has_element(array, element) -%} {{ element }} in unnest({{ array }}) {%- endmacro %}

{#- BigQuery wants another clause beside qualify. -#}
{% macro bigquery__in_order_of(columns, order_by) -%}
    qualify row_number() over (partition by {{ columns | join(', ') }} order by {{ order_by | join(', ') }}) = 1
{%- endmacro %}

{% macro bigquery__joined(separator, values) -%}
    array_to_string([{% for value in values %}cast({{ value }} as string){{ ', ' if not loop.last }}{% endfor %}], {{ sql_text(separator) }})
{%- endmacro %}

{#- A relation beside another is an array that is unnested. -#}
{% macro bigquery__lateral() %}{% endmacro %}

{% macro bigquery__listed(text, separator, order_by) -%}
    string_agg({{ text }}, {{ sql_text(separator) }} order by {{ order_by | join(', ') }})
{%- endmacro %}

{% macro bigquery__numbers_to(last, alias, column) -%}
    (select {{ column }} from unnest(generate_array(1, {{ last }})) as {{ column }}) as {{ alias }}
{%- endmacro %}

{% macro bigquery__ordered_elements(id, order_by) -%} array_agg({{ id }} order by {{ order_by | join(', ') }}) {%- endmacro %}

{#- Arrays have no order, so the numbers are places of one. The second and the third are days from 1900 to 2173 as their distance from
    January 1, 2000, the first is a count. -#}
{% macro bigquery__peak(numbers) -%}
    max({{ numbers[0] }} * 10000000000 + ({{ numbers[1] }} + 36525) * 100000 + {{ numbers[2] }} + 36525)
{%- endmacro %}

{% macro bigquery__peak_value(peak, place) -%}
    {%- if place == 1 -%} div({{ peak }}, 10000000000)
    {%- elif place == 2 -%} div(mod({{ peak }}, 10000000000), 100000) - 36525
    {%- else -%} mod({{ peak }}, 100000) - 36525
    {%- endif -%}
{%- endmacro %}

{% macro bigquery__rows_beside(alias, columns, rows) -%}
    unnest([
        {%- for row in rows %}
        struct({% for value in row %}{{ value }} as {{ columns[loop.index0] }}{{ ', ' if not loop.last }}{% endfor %}){{ ',' if not loop.last }}
        {%- endfor %}
    ]) as {{ alias }}
{%- endmacro %}

{#- By their texts, because arrays and JSON cannot be compared. -#}
{% macro bigquery__same_elements(these, those) -%} to_json_string({{ these }}) = to_json_string({{ those }}) {%- endmacro %}

{% macro bigquery__same_row(these, those) -%}
    ({% for this, that in zip(these, those) %}{{ ' and ' if not loop.first }}to_json_string({{ this }}) = to_json_string({{ that }}){% endfor %})
{%- endmacro %}

{% macro bigquery__unnested(array, type) -%} element {%- endmacro %}

{% macro bigquery__row_text(alias, columns) -%} to_json_string({{ alias }}) {%- endmacro %}

{% macro bigquery__rows_of(alias, columns, rows) -%}
    (
        {%- for row in rows %}
        select {% for value in row %}{{ value }} as {{ columns[loop.index0] }}{{ ', ' if not loop.last }}{% endfor %}
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    ) as {{ alias }}
{%- endmacro %}
