{#- The expressions of macros/warehouse/values.sql in DuckDB. Its texts are compared by their bytes, so no collation is needed. -#}

{% macro duckdb__add_seconds(moment, seconds) -%}
    {{ moment }} + to_microseconds(cast(round(cast({{ seconds }} as double) * 1000000) as bigint))
{%- endmacro %}

{% macro duckdb__array_of_filled(elements) -%}
    list_filter([
            {{ elements | join(',\n            ') }}
        ], lambda element: element is not null)
{%- endmacro %}

{% macro duckdb__count_elements(array) -%} len({{ array }}) {%- endmacro %}

{% macro duckdb__day_name(day) -%} dayname({{ day }}) {%- endmacro %}

{% macro duckdb__month_name(day) -%} monthname({{ day }}) {%- endmacro %}

{% macro duckdb__elements_of_group(array, condition) -%}
    flatten(array_agg({{ array }}) filter (where {{ condition }} and {{ has_elements(array) }}))
{%- endmacro %}

{% macro duckdb__each_element(array) -%} unnest(list_distinct({{ array }})) {%- endmacro %}

{% macro duckdb__hash_id(uuid_column) -%}
    cast(cast(from_hex(left(md5(cast({{ uuid_column }} as text)), 16)) as bit) as bigint)
{%- endmacro %}

{% macro duckdb__has_elements(array) -%} len({{ array }}) > 0 {%- endmacro %}

{#- In whole hundredths, because a division gives a binary fraction: 36 seconds are one of them. -#}
{% macro duckdb__hours(seconds) -%}
    cast(sign({{ seconds }}) * ((abs({{ seconds }}) + 18) // 36) * 0.01 as numeric(14, 2))
{%- endmacro %}

{% macro duckdb__in_c_order(text) -%} {{ text }} {%- endmacro %}

{% macro duckdb__is_one_of(id, query) -%} {{ id }} in ({{ query }}) {%- endmacro %}

{% macro duckdb__iso_week(day) -%} strftime({{ day }}, '%G-W%V') {%- endmacro %}

{% macro duckdb__lower_case(text) -%}
    translate({{ text }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
{%- endmacro %}

{% macro duckdb__upper_case(text) -%}
    translate({{ text }}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
{%- endmacro %}

{#- The keys of a histogram are in order, so the first with the greatest number is the one. -#}
{% macro duckdb__most_frequent(text, condition) -%}
    {%- set counts = 'histogram(' ~ text ~ ')' ~ (' filter (where ' ~ condition ~ ')' if condition else '') -%}
    map_keys({{ counts }})[list_position(map_values({{ counts }}), list_max(map_values({{ counts }})))]
{%- endmacro %}

{% macro duckdb__hash_of_texts(texts) -%} hash({{ texts | join(', ') }}) {%- endmacro %}

{% macro duckdb__temporary(name) -%} temp.{{ name }} {%- endmacro %}

{% macro duckdb__keep_temporarily(name, query) -%} create or replace temporary table {{ name }} as {{ query }} {%- endmacro %}

{#- As a decimal number: a difference of binary fractions may be a little less than the whole number that it should be. -#}
{% macro duckdb__elapsed_seconds(start, finish) -%}
    cast(epoch_us({{ finish }}) - epoch_us({{ start }}) as decimal(18, 0)) * cast(0.000001 as decimal(7, 6))
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, {{ pattern }}) {%- endmacro %}

{% macro duckdb__rounded_quotient(part, whole, digits) -%}
    {%- set scale = 10 ** digits -%}
    cast((2 * {{ scale }} * {{ part }} + {{ whole }}) // nullif(2 * {{ whole }}, 0) as bigint) * {{ '%.*f' | format(digits, 1 / scale) }}
{%- endmacro %}

{% macro duckdb__distinct_elements(text, condition) -%}
    array_agg(distinct {{ text }} order by {{ text }}){{ ' filter (where ' ~ condition ~ ')' if condition }}
{%- endmacro %}

{#- Sorts both sides once. The form of PostgreSQL would compare each value with each interval (decision D278). -#}
{% macro duckdb__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select {{ expression }}
        from (
            select
                {{ calendar }}.calendar as calendar,
                {{ calendar }}.timezone as timezone,
                {{ value }} as value
        ) as asked
        asof inner join {{ ref('int_business_intervals') }} as intervals
            on
                asked.calendar = intervals.calendar
                and asked.timezone = intervals.timezone
                and asked.value {{ {'<': '>', '<=': '>='}[compared] }} intervals.{{ column }}
    )
{%- endmacro %}
