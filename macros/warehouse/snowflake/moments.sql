{#- Moments, days and durations in Snowflake. A moment is a TIMESTAMP_TZ in UTC; assert_prepared refuses a session with another time zone. -#}

{% macro snowflake__at_time(day, time) -%} timestamp_ntz_from_parts({{ day }}, {{ time }}) {%- endmacro %}

{% macro snowflake__current_moment() -%} cast(current_timestamp() as timestamp_tz) {%- endmacro %}

{% macro snowflake__days_between(first, last, alias, column) -%} {{ timestamps_between('day', 100000, first, last, alias, column) }} {%- endmacro %}

{% macro snowflake__minutes_between(first, last, alias, column) -%} {{ timestamps_between('minute', 1500, first, last, alias, column) }} {%- endmacro %}

{% macro snowflake__months_between(first, last, alias, column) -%} {{ timestamps_between('month', 2400, first, last, alias, column) }} {%- endmacro %}

{#- The rows of a generator must be a constant; `most` is as many as the calendar of dim_dates can need. -#}
{% macro timestamps_between(unit, most, first, last, alias, column) -%}
    (
        select dateadd('{{ unit }}', steps.step, cast({{ first }} as timestamp_ntz)) as {{ column }}
        from (select row_number() over (order by seq4()) - 1 as step from table(generator(rowcount => {{ most }}))) as steps
        where dateadd('{{ unit }}', steps.step, cast({{ first }} as timestamp_ntz)) <= {{ last }}
    ) as {{ alias }}
{%- endmacro %}

{% macro snowflake__in_utc(time) -%} cast({{ time }} as timestamp_tz) {%- endmacro %}

{% macro snowflake__iso_part(part, day) -%}
    {{ {'week': 'weekiso', 'isoyear': 'yearofweekiso', 'isodow': 'dayofweekiso'}[part] }}({{ day }})
{%- endmacro %}

{% macro snowflake__last_day() -%} cast('9999-12-31' as date) {%- endmacro %}

{#- An offset is a number of seconds. -#}
{% macro snowflake__utc_offset(moment, timezone) -%}
    datediff('second', {{ moment }}, convert_timezone('UTC', {{ timezone }}, cast({{ moment }} as timestamp_ntz)))
{%- endmacro %}

{% macro snowflake__less_offset(time, offset) -%} dateadd('second', -1 * {{ offset }}, {{ time }}) {%- endmacro %}

{% macro snowflake__plus_offset(time, offset) -%} dateadd('second', {{ offset }}, {{ time }}) {%- endmacro %}

{#- Snowflake has no infinity: the first and the last year that it stores take its place. -#}
{% macro snowflake__moment_of(text) -%}
    {%- set stored = {'-infinity': '0001-01-01 00:00:00+00', 'infinity': '9999-12-31 00:00:00+00'}.get(text, text) -%}
    cast('{{ stored }}' as timestamp_tz)
{%- endmacro %}

{#- In all six digits, whatever the session's format of output is. -#}
{% macro snowflake__moment_text(moment) -%}
    case
        when {{ moment }} <= {{ moment_of('-infinity') }} then '-infinity'
        when {{ moment }} >= {{ moment_of('infinity') }} then 'infinity'
        else to_char(convert_timezone('UTC', {{ moment }}), 'YYYY-MM-DD HH24:MI:SS.FF6') || '+00'
    end
{%- endmacro %}

{% macro snowflake__utc_date(moment) -%} cast(convert_timezone('UTC', {{ moment }}) as date) {%- endmacro %}

{% macro snowflake__utc_midnight(day) -%} cast(cast({{ day }} as timestamp_ntz) as timestamp_tz) {%- endmacro %}

{#- Without zeros at the end of the fraction, as PostgreSQL writes it. -#}
{% macro snowflake__utc_text(moment) -%}
    regexp_replace(to_char(convert_timezone('UTC', {{ moment }}), 'YYYY-MM-DD HH24:MI:SS.FF6'), '[.]?0+$', '')
{%- endmacro %}

{% macro snowflake__utc_time(moment) -%} cast(convert_timezone('UTC', {{ moment }}) as timestamp_ntz) {%- endmacro %}

{% macro snowflake__days_after(day, days) -%} cast(dateadd('day', {{ days }}, {{ day }}) as date) {%- endmacro %}
