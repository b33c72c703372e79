{#- The expressions of macros/warehouse/values.sql in Snowflake. -#}

{% macro snowflake__add_seconds(moment, seconds) -%}
    dateadd('microsecond', cast(round(cast({{ seconds }} as double precision) * 1000000) as bigint), {{ moment }})
{%- endmacro %}

{#- As a decimal number, exact to the microsecond. -#}
{% macro snowflake__elapsed_seconds(start, finish) -%}
    cast(datediff('microsecond', {{ start }}, {{ finish }}) as number(18, 0)) * cast(0.000001 as number(7, 6))
{%- endmacro %}

{% macro snowflake__array_of_filled(elements) -%}
    array_construct_compact(
            {{ elements | join(',\n            ') }}
        )
{%- endmacro %}

{% macro snowflake__count_elements(array) -%} array_size({{ array }}) {%- endmacro %}

{% macro snowflake__has_elements(array) -%} array_size({{ array }}) > 0 {%- endmacro %}

{% macro snowflake__elements_of_group(array, condition) -%}
    array_agg(case when {{ condition }} and {{ has_elements(array) }} then {{ array }} end)
{%- endmacro %}

{% macro snowflake__each_element(array) -%} cast(elements.value as varchar) {%- endmacro %}

{#- array_agg leaves out what is NULL; it gives an empty array where PostgreSQL gives none. -#}
{% macro snowflake__distinct_elements(text, condition) -%}
    {%- set value = 'case when ' ~ condition ~ ' then ' ~ text ~ ' end' if condition else text -%}
    case
            when count({{ value }}) > 0
                then array_agg(distinct {{ value }}) within group (order by {{ value }})
        end
{%- endmacro %}

{#- The least of texts that begin with how rare they are, from the counts of beside_frequencies: mode() may take any of those that are
    equally frequent. -#}
{% macro snowflake__most_frequent(text, condition) -%}
    {%- set key -%}
    lpad(cast(9999999999 - frequency_{{ local_md5(condition or '') }} as varchar), 10, '0') || {{ text }}
    {%- endset -%}
    substr(min({{ 'case when ' ~ condition ~ ' then ' ~ key ~ ' end' if condition else key }}), 11)
{%- endmacro %}

{% macro snowflake__day_name(day) -%}
    decode(dayofweekiso({{ day }}), 1, 'Monday', 2, 'Tuesday', 3, 'Wednesday', 4, 'Thursday', 5, 'Friday', 6, 'Saturday', 7, 'Sunday')
{%- endmacro %}

{% macro snowflake__month_name(day) -%}
    decode(
        month({{ day }}), 1, 'January', 2, 'February', 3, 'March', 4, 'April', 5, 'May', 6, 'June', 7, 'July', 8, 'August', 9, 'September',
        10, 'October', 11, 'November', 12, 'December'
    )
{%- endmacro %}

{% macro snowflake__iso_week(day) -%}
    cast(yearofweekiso({{ day }}) as varchar) || '-W' || lpad(cast(weekiso({{ day }}) as varchar), 2, '0')
{%- endmacro %}

{#- In whole numbers: a quotient has six decimals in Snowflake, and is rounded. -#}
{% macro snowflake__hours(seconds) -%}
    cast(
        sign({{ seconds }}) * (abs({{ seconds }}) + 18 - mod(abs({{ seconds }}) + 18, 36)) / 36 * cast(0.01 as number(3, 2)) as numeric(14, 2)
    )
{%- endmacro %}

{% macro snowflake__rounded_quotient(part, whole, digits) -%}
    {%- set scale = 10 ** digits -%}
    {%- set doubled = '(' ~ 2 * scale ~ ' * (' ~ part ~ ') + (' ~ whole ~ '))' -%}
    cast(
        ({{ doubled }} - mod({{ doubled }}, nullif(2 * ({{ whole }}), 0))) / nullif(2 * ({{ whole }}), 0) as bigint
    ) * cast({{ '%.*f' | format(digits, 1 / scale) }} as number({{ digits + 1 }}, {{ digits }}))
{%- endmacro %}

{% macro snowflake__is_one_of(id, query) -%} {{ id }} in ({{ query }}) {%- endmacro %}

{#- The name has that of the model, because sessions of one run may keep tables of the same name at a time. -#}
{% macro snowflake__temporary(name) -%} {{ target.schema }}_staging.{{ name }}_of_{{ model.name }} {%- endmacro %}

{% macro snowflake__keep_temporarily(name, query) -%} create or replace temporary table {{ temporary(name) }} as {{ query }} {%- endmacro %}

{#- The last interval has the greatest value: a correlated query of a maximum is one that Snowflake can turn into a join. -#}
{% macro snowflake__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select max({{ expression }})
        from {{ ref('int_business_intervals') }} as intervals
        where
            intervals.calendar = {{ calendar }}.calendar
            and intervals.timezone = {{ calendar }}.timezone
            and intervals.{{ column }} {{ compared }} {{ value }}
    )
{%- endmacro %}
