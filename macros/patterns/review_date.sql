{#- The review date of a cadence (decision D7): the latest Monday, first of the month or January 1 on or before as_of. -#}
{% macro review_date(cadence) -%}
    {%- set day = modules.datetime.datetime.strptime(as_of(), '%Y-%m-%d').date() -%}
    {%- if cadence == 'weekly' -%}{%- set day = day - modules.datetime.timedelta(days=day.weekday()) -%}
    {%- elif cadence == 'monthly' -%}{%- set day = day.replace(day=1) -%}
    {%- else -%}{%- set day = day.replace(month=1, day=1) -%}
    {%- endif -%}
    {{- return(day.isoformat()) -}}
{%- endmacro %}

{#- The cadences, each with the calendar unit between two reviews; a review date is the first day of such a unit. -#}
{% macro review_cadences() -%}
    {{- return({'weekly': 'week', 'monthly': 'month', 'yearly': 'year'}) -}}
{%- endmacro %}

{#- The previous review date: a week, a month or a year earlier. -#}
{% macro previous_review_date(cadence) -%}
    cast({{ later("cast(date '" ~ review_date(cadence) ~ "' as timestamp)", -1, review_cadences()[cadence]) }} as date)
{%- endmacro %}
