{#- The expressions of macros/warehouse/values.sql in BigQuery. -#}

{% macro bigquery__add_seconds(moment, seconds) -%}
    timestamp_add({{ moment }}, interval cast(round(cast({{ seconds }} as float64) * 1000000) as int64) microsecond)
{%- endmacro %}

{#- As a decimal number, exact to the microsecond. -#}
{% macro bigquery__elapsed_seconds(start, finish) -%}
    cast(timestamp_diff({{ finish }}, {{ start }}, microsecond) as numeric) * numeric '0.000001'
{%- endmacro %}

{% macro bigquery__array_of_filled(elements) -%}
    array(select element from unnest([
            {{ elements | join(',\n            ') }}
        ]) as element with offset as place where element is not null order by place)
{%- endmacro %}

{% macro bigquery__count_elements(array) -%} array_length({{ array }}) {%- endmacro %}

{% macro bigquery__has_elements(array) -%} array_length({{ array }}) > 0 {%- endmacro %}

{% macro bigquery__elements_of_group(array, condition) -%}
    array_agg(case when {{ condition }} and {{ has_elements(array) }} then struct({{ array }} as elements) end ignore nulls)
{%- endmacro %}

{% macro bigquery__each_element(array) -%} element {%- endmacro %}

{% macro bigquery__distinct_elements(text, condition) -%}
    {%- set value = 'case when ' ~ condition ~ ' then ' ~ text ~ ' end' if condition else text -%}
    case when count({{ value }}) > 0 then array_agg(distinct {{ value }} ignore nulls order by {{ value }}) end
{%- endmacro %}

{#- The least of texts that begin with how rare they are, from the counts of beside_frequencies. -#}
{% macro bigquery__most_frequent(text, condition) -%}
    {%- set key -%}
    lpad(cast(9999999999 - frequency_{{ local_md5(condition or '') }} as string), 10, '0') || {{ text }}
    {%- endset -%}
    substr(min({{ 'case when ' ~ condition ~ ' then ' ~ key ~ ' end' if condition else key }}), 11)
{%- endmacro %}

{% macro bigquery__day_name(day) -%} format_date('%A', {{ day }}) {%- endmacro %}

{% macro bigquery__month_name(day) -%} format_date('%B', {{ day }}) {%- endmacro %}

{% macro bigquery__iso_week(day) -%} format_date('%G-W%V', {{ day }}) {%- endmacro %}

{#- In whole hundredths: 36 seconds are one of them. -#}
{% macro bigquery__hours(seconds) -%}
    cast(cast(sign({{ seconds }}) * div((abs({{ seconds }}) + 18), 36) as numeric) * numeric '0.01' as numeric)
{%- endmacro %}

{#- percentile_cont() is no aggregate in BigQuery: the values are sorted, and the one at the place is weighed with the next one. -#}
{% macro bigquery__percentile(share, value, condition) -%}
    {%- set value = 'case when ' ~ condition ~ ' then ' ~ value ~ ' end' if condition else value -%}
    {%- set sorted = 'array_agg(' ~ value ~ ' ignore nulls order by ' ~ value ~ ')' -%}
    {%- set place = share ~ ' * (count(' ~ value ~ ') - 1)' -%}
    {%- set lower = sorted ~ '[safe_offset(cast(floor(' ~ place ~ ') as int64))]' -%}
    {%- set upper = sorted ~ '[safe_offset(cast(ceil(' ~ place ~ ') as int64))]' -%}
    {{ lower }} + ({{ place }} - floor({{ place }})) * ({{ upper }} - {{ lower }})
{%- endmacro %}

{% macro bigquery__rounded_quotient(part, whole, digits) -%}
    cast(
        div(({{ 2 * 10 ** digits }} * ({{ part }}) + ({{ whole }})), nullif(2 * ({{ whole }}), 0)) as numeric
    ) * numeric '{{ '%.*f' | format(digits, 1 / 10 ** digits) }}'
{%- endmacro %}

{#- A binary number of seconds is rounded as a decimal one. -#}
{% macro bigquery__tenths(seconds) -%} round(round(cast({{ seconds }} as numeric), 6), 1) {%- endmacro %}

{% macro bigquery__is_one_of(id, query) -%} {{ id }} in ({{ query }}) {%- endmacro %}

{#- A statement has a session of its own, so that a temporary table would be gone: it is a table of the staging dataset, with the name of
    its model, and BigQuery drops it after a day. -#}
{% macro bigquery__temporary(name) -%} `{{ target.database }}`.`{{ target.schema }}_staging`.`{{ name }}_of_{{ model.name }}` {%- endmacro %}

{% macro bigquery__keep_temporarily(name, query) -%}
    create or replace table {{ temporary(name) }}
    options (expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day))
    as {{ query }}
{%- endmacro %}

{#- The last interval has the greatest value: a correlated query of a maximum. -#}
{% macro bigquery__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select max({{ expression }})
        from {{ ref('int_business_intervals') }} as intervals
        where
            intervals.calendar = {{ calendar }}.calendar
            and intervals.timezone = {{ calendar }}.timezone
            and intervals.{{ column }} {{ compared }} {{ value }}
    )
{%- endmacro %}
