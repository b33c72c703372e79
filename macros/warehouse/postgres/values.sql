{#- The expressions of macros/warehouse/values.sql in PostgreSQL. -#}

{% macro postgres__add_seconds(moment, seconds) -%} {{ moment }} + make_interval(secs => {{ seconds }}) {%- endmacro %}

{% macro postgres__array_of_filled(elements) -%}
    array_remove(
        array[
            {{ elements | join(',\n            ') }}
        ],
        null
    )
{%- endmacro %}

{% macro postgres__count_elements(one, other) -%}
    cardinality(array(select unnest({{ one }}) union select unnest({{ other }})))
{%- endmacro %}

{% macro postgres__day_name(day) -%} to_char({{ day }}, 'FMDay') {%- endmacro %}

{% macro postgres__month_name(day) -%} to_char({{ day }}, 'FMMonth') {%- endmacro %}

{#- The elements as they are in an array's literal, without the braces. string_agg joins them to one array, which array_agg does only for
    arrays of the same length. -#}
{% macro postgres__elements_of_row(array) -%}
    nullif(substr(cast({{ array }} as text), 2, length(cast({{ array }} as text)) - 2), '')
{%- endmacro %}

{% macro postgres__elements_of_group(elements, condition) -%}
    cast('{' || string_agg({{ elements }}, ',') filter (where {{ condition }}) || '}' as text[])
{%- endmacro %}

{% macro postgres__hash_id(uuid_column) -%}
    cast(cast('x' || left(md5(cast({{ uuid_column }} as text)), 16) as bit(64)) as bigint)
{%- endmacro %}

{#- The empty array is the first in an index. -#}
{% macro postgres__has_elements(array) -%} {{ array }} > '{}' {%- endmacro %}

{% macro postgres__hours(seconds) -%}
    cast(round(cast({{ seconds }} as numeric) / 3600, 2) as numeric(14, 2))
{%- endmacro %}

{% macro postgres__in_c_order(text) -%} {{ text }} collate "C" {%- endmacro %}

{% macro postgres__iso_week(day) -%} to_char({{ day }}, 'IYYY-"W"IW') {%- endmacro %}

{#- In a Turkish locale, i is not the lower case of I. The result has the collation of the database again, so that it can be compared with
    any column. -#}
{% macro postgres__lower_case(text) -%}
    lower(({{ text }}) collate "C") collate "default"
{%- endmacro %}

{% macro postgres__upper_case(text) -%}
    upper(({{ text }}) collate "C") collate "default"
{%- endmacro %}

{% macro postgres__most_frequent(text, condition) -%}
    mode() within group (order by {{ text }} collate "C"){{ ' filter (where ' ~ condition ~ ')' if condition }}
{%- endmacro %}

{% macro postgres__row_hash(relation, columns) -%}
    hash_record_extended(row({{ relation }}.{{ columns | join(', ' ~ relation ~ '.') }}), 0)
{%- endmacro %}

{% macro postgres__elapsed_seconds(start, finish) -%} extract(epoch from {{ finish }} - {{ start }}) {%- endmacro %}

{% macro postgres__matches(text, pattern) -%} {{ text }} ~ {{ pattern }} {%- endmacro %}

{% macro postgres__rounded_quotient(part, whole, digits) -%}
    round(1.0 * {{ part }} / nullif({{ whole }}, 0), {{ digits }})
{%- endmacro %}

{% macro postgres__temporary(name) -%} pg_temp.{{ name }} {%- endmacro %}

{% macro postgres__keep_temporarily(name, query) -%}
    create temporary table {{ name }} on commit drop as {{ query }};
    analyze pg_temp.{{ name }}
{%- endmacro %}

{% macro postgres__distinct_elements(text, condition) -%}
    (array_agg(distinct {{ text }} collate "C" order by {{ text }} collate "C"){{ ' filter (where ' ~ condition ~ ')' if condition }}) collate "default"
{%- endmacro %}
