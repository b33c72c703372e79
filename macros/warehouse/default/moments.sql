{#- Moments, days and durations in the SQL that PostgreSQL and DuckDB share. -#}

{% macro default__at_time(day, time) -%} {{ day }} + {{ time }} {%- endmacro %}

{% macro default__current_moment() -%} now() {%- endmacro %}

{% macro default__days_between(first, last, alias, column) -%} generate_series({{ first }}, {{ last }}, interval '1 day') as {{ alias }} ({{ column }}) {%- endmacro %}

{% macro default__in_utc(time) -%} {{ time }} at time zone 'UTC' {%- endmacro %}

{% macro default__is_addable(duration) -%}
    (
        abs(extract(year from {{ duration }})) <= 2000
        and abs(extract(day from {{ duration }})) <= 730500
        and abs(extract(hour from {{ duration }})) <= 17532000
    )
{%- endmacro %}

{% macro default__is_forward(duration) -%} {{ duration }} > interval '0' {%- endmacro %}

{% macro default__iso_part(part, day) -%} cast(extract({{ part }} from {{ day }}) as integer) {%- endmacro %}

{% macro default__last_day() -%} date 'infinity' {%- endmacro %}

{% macro default__less_offset(time, offset) -%} {{ time }} - {{ offset }} {%- endmacro %}

{% macro default__minutes_between(first, last, alias, column) -%} generate_series({{ first }}, {{ last }}, interval '1 minute') as {{ alias }} ({{ column }}) {%- endmacro %}

{% macro default__moment_of(text) -%} timestamptz '{{ text }}' {%- endmacro %}

{% macro default__moment_text(moment) -%} cast({{ moment }} as text) {%- endmacro %}

{% macro default__months_between(first, last, alias, column) -%} generate_series({{ first }}, {{ last }}, interval '1 month') as {{ alias }} ({{ column }}) {%- endmacro %}

{% macro default__plus_offset(time, offset) -%} {{ time }} + {{ offset }} {%- endmacro %}

{% macro default__sum_in_utc(moment, duration) -%} timezone('UTC', timezone('UTC', {{ moment }}) + {{ duration }}) {%- endmacro %}

{% macro default__utc_date(moment) -%} cast({{ moment }} at time zone 'UTC' as date) {%- endmacro %}

{% macro default__utc_midnight(day) -%} cast({{ day }} as timestamp) at time zone 'UTC' {%- endmacro %}

{% macro default__utc_offset(moment, timezone) -%} ((({{ moment }}) at time zone 'UTC') at time zone {{ timezone }} - ({{ moment }})) {%- endmacro %}

{% macro default__utc_text(moment) -%} cast({{ moment }} at time zone 'UTC' as text) {%- endmacro %}

{% macro default__utc_time(moment) -%} {{ moment }} at time zone 'UTC' {%- endmacro %}

{% macro default__days_after(day, days) -%} {{ day }} + {{ days }} {%- endmacro %}

{% macro default__days_since(day, first) -%} {{ day }} - {{ first }} {%- endmacro %}

{% macro default__later(moment, count, unit) -%} {{ moment }} {{ '-' if count < 0 else '+' }} interval '{{ count | abs }} {{ unit }}' {%- endmacro %}

{% macro default__start_of(unit, time) -%} date_trunc('{{ unit }}', {{ time }}) {%- endmacro %}
