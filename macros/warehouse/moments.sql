{#- Moments, days and durations, which engines write differently. -#}

{#- The timestamp at which a time of day is on a day. -#}
{% macro at_time(day, time) %}{{ return(adapter.dispatch('at_time', 'orgo_insights')(day, time)) }}{% endmacro %}

{#- The moment of the transaction. -#}
{% macro current_moment() %}{{ return(adapter.dispatch('current_moment', 'orgo_insights')()) }}{% endmacro %}

{#- The timestamps a day apart from one to another, as a relation of a from clause. -#}
{% macro days_between(first, last, alias, column) %}{{ return(adapter.dispatch('days_between', 'orgo_insights')(first, last, alias, column)) }}{% endmacro %}

{#- The moment at which clocks in UTC show a timestamp. -#}
{% macro in_utc(time) %}{{ return(adapter.dispatch('in_utc', 'orgo_insights')(time)) }}{% endmacro %}

{#- Whether a duration leads to a later moment. -#}
{% macro is_forward(duration) %}{{ return(adapter.dispatch('is_forward', 'orgo_insights')(duration)) }}{% endmacro %}

{#- The week, isoyear or isodow (1 for Monday) of a day as a number, by ISO 8601. -#}
{% macro iso_part(part, day) %}{{ return(adapter.dispatch('iso_part', 'orgo_insights')(part, day)) }}{% endmacro %}

{#- A day after all others. -#}
{% macro last_day() %}{{ return(adapter.dispatch('last_day', 'orgo_insights')()) }}{% endmacro %}

{#- A timestamp less what utc_offset gives. -#}
{% macro less_offset(time, offset) %}{{ return(adapter.dispatch('less_offset', 'orgo_insights')(time, offset)) }}{% endmacro %}

{#- The timestamps a minute apart from one to another, at most a day later, as a relation of a from clause. -#}
{% macro minutes_between(first, last, alias, column) %}{{ return(adapter.dispatch('minutes_between', 'orgo_insights')(first, last, alias, column)) }}{% endmacro %}

{#- A moment from a text such as 2026-01-31 12:00:00+00, -infinity or infinity. -#}
{% macro moment_of(text) %}{{ return(adapter.dispatch('moment_of', 'orgo_insights')(text)) }}{% endmacro %}

{#- The text of a moment, from which moment_of makes the same. -#}
{% macro moment_text(moment) %}{{ return(adapter.dispatch('moment_text', 'orgo_insights')(moment)) }}{% endmacro %}

{#- The timestamps a month apart from one to another, as a relation of a from clause. -#}
{% macro months_between(first, last, alias, column) %}{{ return(adapter.dispatch('months_between', 'orgo_insights')(first, last, alias, column)) }}{% endmacro %}

{#- A timestamp plus what utc_offset gives. -#}
{% macro plus_offset(time, offset) %}{{ return(adapter.dispatch('plus_offset', 'orgo_insights')(time, offset)) }}{% endmacro %}

{#- What clocks in UTC show at a moment, as a text. -#}
{% macro utc_text(moment) %}{{ return(adapter.dispatch('utc_text', 'orgo_insights')(moment)) }}{% endmacro %}

{#- The timestamp that clocks in UTC show at a moment. -#}
{% macro utc_time(moment) %}{{ return(adapter.dispatch('utc_time', 'orgo_insights')(moment)) }}{% endmacro %}

{#- The day that comes some days after another. -#}
{% macro days_after(day, days) %}{{ return(adapter.dispatch('days_after', 'orgo_insights')(day, days)) }}{% endmacro %}

{#- The days from one day to another. -#}
{% macro days_since(day, first) %}{{ return(adapter.dispatch('days_since', 'orgo_insights')(day, first)) }}{% endmacro %}

{#- A timestamp some units of time (microsecond to year) after another, before it if the number is negative. -#}
{% macro later(moment, count, unit) %}{{ return(adapter.dispatch('later', 'orgo_insights')(moment, count, unit)) }}{% endmacro %}

{#- The first moment of the week, month or year that a timestamp is in; a week begins on Monday. -#}
{% macro start_of(unit, time) %}{{ return(adapter.dispatch('start_of', 'orgo_insights')(unit, time)) }}{% endmacro %}
