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

{% macro postgres__count_elements(array) -%} cardinality({{ array }}) {%- endmacro %}

{% macro postgres__day_name(day) -%} to_char({{ day }}, 'FMDay') {%- endmacro %}

{% macro postgres__month_name(day) -%} to_char({{ day }}, 'FMMonth') {%- endmacro %}

{#- array_agg makes an array of two dimensions, for which the arrays must have the same length. unnest takes both dimensions apart. -#}
{% macro postgres__elements_of_group(array, condition) -%}
    array_agg({{ array }}) filter (where {{ condition }} and {{ has_elements(array) }})
{%- endmacro %}

{% macro postgres__each_element(array) -%} unnest(array(select distinct unnest({{ array }}))) {%- endmacro %}

{% macro postgres__hash_id(uuid_column) -%}
    cast(cast('x' || left(md5(cast({{ uuid_column }} as text)), 16) as bit(64)) as bigint)
{%- endmacro %}

{#- The empty array is the first in an index. -#}
{% macro postgres__has_elements(array) -%} {{ array }} > '{}' {%- endmacro %}

{% macro postgres__hours(seconds) -%}
    cast(round(cast({{ seconds }} as numeric) / 3600, 2) as numeric(14, 2))
{%- endmacro %}

{% macro postgres__in_c_order(text) -%} {{ text }} collate "C" {%- endmacro %}

{#- As an array, with which PostgreSQL always looks into the index; it would read the whole relation to join it with a query. -#}
{% macro postgres__is_one_of(id, query) -%} {{ id }} = any(array({{ query }})) {%- endmacro %}

{% macro postgres__iso_week(day) -%} to_char({{ day }}, 'IYYY-"W"IW') {%- endmacro %}

{#- In a Turkish locale, i is not the lower case of I. The result has the collation of the database again, so that it can be compared with
    any column. -#}
{% macro postgres__lower_case(text) -%}
    lower(({{ text }}) collate "C") collate "default"
{%- endmacro %}

{% macro postgres__upper_case(text) -%}
    upper(({{ text }}) collate "C") collate "default"
{%- endmacro %}

{#- Each text seeds the hash of the next. hash_record_extended takes several times as long, because it looks up the type of each row. -#}
{% macro postgres__hash_of_texts(texts) -%}
    {%- set hash = namespace(seed='0') -%}
    {%- for text in texts -%}
        {%- set hash.seed = 'hashtextextended(coalesce(' ~ text ~ ", ''), " ~ hash.seed ~ ')' -%}
    {%- endfor -%}
    {{ hash.seed }}
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

{#- One look into an index. -#}
{% macro postgres__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select {{ expression }}
        from {{ ref('int_business_intervals') }} as intervals
        where
            intervals.calendar = {{ calendar }}.calendar
            and intervals.timezone = {{ calendar }}.timezone
            and intervals.{{ column }} {{ compared }} {{ value }}
        order by intervals.{{ column }} desc
        limit 1
    )
{%- endmacro %}
