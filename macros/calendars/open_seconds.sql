{#- An expression of `intervals`, for the last interval of a calendar whose column is less than (<) or at most (<=) a value; NULL if
    there is none. -#}
{% macro of_last_interval(calendar, column, compared, value, expression) -%}
    {{ return(adapter.dispatch('of_last_interval', 'orgo_insights')(calendar, column, compared, value, expression)) }}
{%- endmacro %}

{#- The open seconds of a calendar before a moment, since its first interval, with their fraction: the business time between two moments
    is a difference. -#}
{% macro open_seconds(calendar, moment) -%}
    {%- set since = elapsed_seconds('intervals.opens_at', least_filled([moment, 'intervals.closes_at'])) -%}
    coalesce({{ of_last_interval(calendar, 'opens_at', '<=', moment, 'intervals.open_seconds_before + ' ~ since) }}, 0)
{%- endmacro %}

{#- The moment at which a calendar has been open for so many seconds, the inverse of open_seconds. Where it then closes, several moments
    have the same number: the first of them, or with `last`, the last, which is the next opening. NULL for less than zero, without `last`
    for zero too. -#}
{% macro open_moment(calendar, seconds, last=false) -%}
    {%- set rest = 'cast(' ~ seconds ~ ' - intervals.open_seconds_before as ' ~ type_of('double precision') ~ ')' -%}
    {{ of_last_interval(calendar, 'open_seconds_before', '<=' if last else '<', seconds, add_seconds('intervals.opens_at', rest)) }}
{%- endmacro %}

{#- The open part of a duration of whole seconds from a moment, in whole seconds. NULL for a NULL, and for a duration that ends after the
    last year of the calendars. `open_before` are the open seconds before that moment, which may be known. -#}
{% macro business_seconds(calendar, start, seconds, horizon, open_before=none) -%}
    {%- set finish = add_seconds(start, seconds) -%}
    case
        when {{ finish }} < {{ in_utc(end_of_calendars(utc_time(horizon))) }}
            then cast(floor({{ open_seconds(calendar, finish) }} - {{ open_before or open_seconds(calendar, start) }}) as bigint)
    end
{%- endmacro %}
