{#- One look into an index. -#}
{% macro postgres__of_last_interval(calendar, column, compared, value, expression) -%}
    (
        select {{ expression }}
        from {{ ref('int_business_intervals') }} as intervals
        where
            intervals.calendar = {{ calendar }}.calendar
            and intervals.timezone = {{ calendar }}.timezone
            and intervals.{{ column }} {{ compared }} {{ value }}
        order by intervals.{{ column }} desc
        limit 1
    )
{%- endmacro %}
