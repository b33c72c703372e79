{#- The open seconds of a calendar before a moment, since its first interval, with their fraction: the business time between two moments
    is a difference. One look into the key's index. -#}
{% macro open_seconds(calendar, moment) -%}
    coalesce(
        (
            select intervals.open_seconds_before + {{ elapsed_seconds('intervals.opens_at', 'least(' ~ moment ~ ', intervals.closes_at)') }}
            from {{ ref('int_business_intervals') }} as intervals
            where
                intervals.calendar = {{ calendar }}.calendar
                and intervals.timezone = {{ calendar }}.timezone
                and intervals.opens_at <= {{ moment }}
            order by intervals.opens_at desc
            limit 1
        ),
        0
    )
{%- endmacro %}

{#- The moment at which a calendar has been open for so many seconds, the inverse of open_seconds. Where it then closes, several moments
    have the same number: the first of them, or with `last`, the last, which is the next opening. NULL for less than zero, without `last`
    for zero too. -#}
{% macro open_moment(calendar, seconds, last=false) -%}
    (
        select {{ add_seconds('intervals.opens_at', 'cast(' ~ seconds ~ ' - intervals.open_seconds_before as double precision)') }}
        from {{ ref('int_business_intervals') }} as intervals
        where
            intervals.calendar = {{ calendar }}.calendar
            and intervals.timezone = {{ calendar }}.timezone
            and intervals.open_seconds_before {{ '<=' if last else '<' }} {{ seconds }}
        order by intervals.open_seconds_before desc
        limit 1
    )
{%- endmacro %}

{#- The open part of a duration of whole seconds from a moment, in whole seconds. NULL for a NULL, and for a duration that ends after the
    last year of the calendars. -#}
{% macro business_seconds(calendar, start, seconds, horizon) -%}
    {%- set finish = add_seconds(start, seconds) -%}
    case
        when {{ finish }} < {{ end_of_calendars(horizon ~ " at time zone 'UTC'") }} at time zone 'UTC'
            then cast(floor({{ open_seconds(calendar, finish) }} - {{ open_seconds(calendar, start) }}) as bigint)
    end
{%- endmacro %}
