{#- Moments, days and durations in BigQuery. A moment and a timestamp without a time zone are both a TIMESTAMP: what a timestamp shows is what
    that one shows in UTC. -#}

{% macro bigquery__at_time(day, time) -%} timestamp(datetime({{ day }}, {{ time }})) {%- endmacro %}

{% macro bigquery__current_moment() -%} current_timestamp() {%- endmacro %}

{% macro bigquery__days_between(first, last, alias, column) -%} {{ steps_between(first, last, 'interval 1 day', alias, column) }} {%- endmacro %}

{% macro bigquery__minutes_between(first, last, alias, column) -%} {{ steps_between(first, last, 'interval 1 minute', alias, column) }} {%- endmacro %}

{#- A timestamp has no arithmetic of months, a date has. -#}
{% macro bigquery__months_between(first, last, alias, column) -%}
    unnest(array(
        select as struct timestamp(month) as {{ column }}
        from unnest(generate_date_array(date({{ first }}), date({{ last }}), interval 1 month)) as month
    )) as {{ alias }}
{%- endmacro %}

{#- The timestamps from one to another, as a relation of a from clause: of structs, so that its column has a name. -#}
{% macro steps_between(first, last, step, alias, column) -%}
    unnest(array(
        select as struct moment as {{ column }}
        from unnest(generate_timestamp_array({{ first }}, {{ last }}, {{ step }})) as moment
    )) as {{ alias }}
{%- endmacro %}

{% macro bigquery__in_utc(time) -%} {{ time }} {%- endmacro %}

{% macro bigquery__iso_part(part, day) -%}
    {%- if part == 'isodow' -%} mod(extract(dayofweek from {{ day }}) + 5, 7) + 1
    {%- else -%} extract({{ {'week': 'isoweek', 'isoyear': 'isoyear'}[part] }} from {{ day }})
    {%- endif -%}
{%- endmacro %}

{% macro bigquery__last_day() -%} date '9999-12-31' {%- endmacro %}

{#- A timestamp has no arithmetic of months and years. -#}
{% macro bigquery__later(moment, count, unit) -%}
    {%- if unit in ('month', 'year') -%} timestamp(datetime_add(datetime({{ moment }}), interval {{ count }} {{ unit }}))
    {%- elif unit == 'week' -%} timestamp_add({{ moment }}, interval {{ 7 * count }} day)
    {%- else -%} timestamp_add({{ moment }}, interval {{ count }} {{ unit }})
    {%- endif -%}
{%- endmacro %}

{#- An offset is a number of seconds. -#}
{% macro bigquery__utc_offset(moment, timezone) -%}
    timestamp_diff(timestamp(format_timestamp('%Y-%m-%d %H:%M:%S', {{ moment }}, {{ timezone }})), {{ moment }}, second)
{%- endmacro %}

{% macro bigquery__less_offset(time, offset) -%} timestamp_sub({{ time }}, interval {{ offset }} second) {%- endmacro %}

{% macro bigquery__plus_offset(time, offset) -%} timestamp_add({{ time }}, interval {{ offset }} second) {%- endmacro %}

{#- BigQuery has no infinity: the first and the last year that it stores take its place. -#}
{% macro bigquery__moment_of(text) -%}
    {%- set stored = {'-infinity': '0001-01-01 00:00:00+00', 'infinity': '9999-12-31 00:00:00+00'}.get(text, text) -%}
    timestamp '{{ stored }}'
{%- endmacro %}

{% macro bigquery__moment_text(moment) -%}
    case
        when {{ moment }} <= {{ moment_of('-infinity') }} then '-infinity'
        when {{ moment }} >= {{ moment_of('infinity') }} then 'infinity'
        else {{ microsecond_text(moment) }} || '+00'
    end
{%- endmacro %}

{#- What clocks in UTC show, in all six digits. -#}
{% macro microsecond_text(moment) -%}
    format_timestamp('%Y-%m-%d %H:%M:%S', {{ moment }})
    || '.' || lpad(cast(mod(unix_micros({{ moment }}) + 62135596800000000, 1000000) as string), 6, '0')
{%- endmacro %}

{% macro bigquery__start_of(unit, time) -%} timestamp_trunc({{ time }}, {{ {'week': 'isoweek'}.get(unit, unit) }}) {%- endmacro %}

{% macro bigquery__utc_date(moment) -%} date({{ moment }}) {%- endmacro %}

{% macro bigquery__utc_midnight(day) -%} timestamp({{ day }}) {%- endmacro %}

{#- Without zeros at the end of the fraction, as PostgreSQL writes it. -#}
{% macro bigquery__utc_text(moment) -%} regexp_replace({{ microsecond_text(moment) }}, r'[.]?0+$', '') {%- endmacro %}

{% macro bigquery__utc_time(moment) -%} {{ moment }} {%- endmacro %}

{% macro bigquery__days_after(day, days) -%} date_add({{ day }}, interval {{ days }} day) {%- endmacro %}

{% macro bigquery__days_since(day, first) -%} date_diff({{ day }}, {{ first }}, day) {%- endmacro %}
