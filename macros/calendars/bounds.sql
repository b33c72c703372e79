{#- The end of the calendars, as a UTC timestamp: that of the year after the horizon's, so that limits of open tasks are inside. Whole years,
    because a load then changes the intervals once a year. -#}
{% macro end_of_calendars(horizon) -%}
    ({{ later(start_of('year', 'cast(' ~ horizon ~ ' as timestamp)'), 2, 'year') }})
{%- endmacro %}

{#- The earliest day of the stored tasks and cases, for those that are out of retention and not yet purged; NULL before the first load. -#}
{% macro first_stored_day() -%}
    {%- set days = [] -%}
    {%- for name, day in {'fact_tasks': 'created_date_key', 'fact_cases': 'opened_date_key'}.items() -%}
        {%- set stored = stored_or_none(name) -%}
        {%- do days.append('(select min(' ~ day ~ ') from ' ~ stored ~ ')') if stored -%}
    {%- endfor -%}
    {{- least_filled(days) if days else 'cast(null as date)' -}}
{%- endmacro %}

{#- What clocks of a time zone show more than UTC at a UTC timestamp, as an interval. -#}
{% macro utc_offset(moment, timezone) -%}
    {{- return(adapter.dispatch('utc_offset', 'orgo_insights')(moment, timezone)) -}}
{%- endmacro %}
