{#- Whether a moment lies outside dim_dates; NULL for NULL. -#}
{% macro is_outside_calendar(moment) -%}
    {{ moment }} not between {{ calendar_start() }} and {{ calendar_end() }}
{%- endmacro %}

{#- A moment moved into the range of dim_dates, so that arithmetic with it cannot fail; NULL for NULL. -#}
{% macro clamped(moment) -%}
    case when {{ moment }} is not null then {{ least_filled([greatest_filled([moment, calendar_start()]), calendar_end()]) }} end
{%- endmacro %}

{#- The moment that lies an interval after a moment of dim_dates, clamped. An interval that could leave the range of timestamps is not
    added: it leads to the end of dim_dates, or to its start if it is negative. -#}
{% macro deadline_after(moment, duration) -%}
    case
        when {{ is_addable(duration) }} then {{ clamped(sum_in_utc(moment, duration)) }}
        when {{ is_forward(duration) }} then {{ calendar_end() }}
        when {{ duration }} is not null then {{ calendar_start() }}
    end
{%- endmacro %}

{#- Whether deadline_after moved the sum; NULL for NULL. -#}
{% macro deadline_after_is_clamped(moment, duration) -%}
    case
        when {{ is_addable(duration) }} then {{ is_outside_calendar(sum_in_utc(moment, duration)) }}
        when {{ duration }} is not null then true
    end
{%- endmacro %}

{#- Whether an interval can be added to every moment of dim_dates. Months, days and time are added one after the other and limited each to
    2,000 years: PostgreSQL compares intervals by their sum, in which enormous months and days can cancel each other. -#}
{% macro is_addable(duration) -%}
    {{- return(adapter.dispatch('is_addable', 'orgo_insights')(duration)) -}}
{%- endmacro %}

{% macro sum_in_utc(moment, duration) -%}
    {{- return(adapter.dispatch('sum_in_utc', 'orgo_insights')(moment, duration)) -}}
{%- endmacro %}

{#- A text that becomes part of a key. PostgreSQL refuses an index entry of more than 2,704 bytes; 255 characters of four bytes leave room
    for the other columns of the key. -#}
{% macro key_text(text) -%}
    left({{ text }}, {{ key_length() }})
{%- endmacro %}

{% macro key_length() -%} 255 {%- endmacro %}
