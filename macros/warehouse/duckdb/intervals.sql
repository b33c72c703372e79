{#- Sorts both sides once. The form of PostgreSQL would compare each value with each interval (decision D278). -#}
{% macro duckdb__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select {{ expression }}
        from (
            select
                {{ calendar }}.calendar as calendar,
                {{ calendar }}.timezone as timezone,
                {{ value }} as value
        ) as asked
        asof inner join {{ ref('int_business_intervals') }} as intervals
            on
                asked.calendar = intervals.calendar
                and asked.timezone = intervals.timezone
                and asked.value {{ {'<': '>', '<=': '>='}[compared] }} intervals.{{ column }}
    )
{%- endmacro %}
