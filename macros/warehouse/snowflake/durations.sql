{#- Durations in Snowflake. It stores no INTERVAL of months and seconds, so a duration is a text as PostgreSQL writes it: 1 year 2 mons 3 days
    -04:05:06.789, as a snapshot has it: 14 months 3 days 5000000 microseconds, or in hours and seconds: 8 hours -54 seconds. -#}

{#- The number before a unit, and after it. -#}
{% macro duration_part(duration, unit) -%}
    coalesce(cast(regexp_substr({{ duration }}, '(-?[0-9]+) {{ unit }}', 1, 1, 'e', 1) as bigint), 0)
{%- endmacro %}

{% macro duration_months(duration) -%} (12 * {{ duration_part(duration, 'year') }} + {{ duration_part(duration, 'mon') }}) {%- endmacro %}

{% macro duration_microseconds(duration) -%}
    {%- set clock = "'(-?)([0-9]+):([0-9]+):([0-9.]+)', 1, 1, 'e', " -%}
    (
        {{ duration_part(duration, 'microsecond') }}
        + 3600000000 * {{ duration_part(duration, 'hour') }}
        + 1000000 * {{ duration_part(duration, 'second') }}
        + case when regexp_instr({{ duration }}, '-[0-9]+:') > 0 then -1 else 1 end * (
            3600000000 * coalesce(cast(regexp_substr({{ duration }}, {{ clock }}2) as bigint), 0)
            + 60000000 * coalesce(cast(regexp_substr({{ duration }}, {{ clock }}3) as bigint), 0)
            + cast(coalesce(cast(regexp_substr({{ duration }}, {{ clock }}4) as number(18, 6)), 0) * 1000000 as bigint)
        )
    )
{%- endmacro %}

{% macro snowflake__is_addable(duration) -%}
    (
        abs({{ duration_months(duration) }}) <= 2000 * 12 + 11
        and abs({{ duration_part(duration, 'day') }}) <= 730500
        and abs({{ duration_microseconds(duration) }}) < 17532001 * cast(3600000000 as bigint)
        and {{ duration }} is not null
    )
{%- endmacro %}

{#- PostgreSQL compares durations as if a month had 30 days. More days than all microseconds of a number of 64 bits decide alone. -#}
{% macro snowflake__is_forward(duration) -%}
    {%- set days = '(' ~ duration_months(duration) ~ ' * 30 + ' ~ duration_part(duration, 'day') ~ ')' -%}
    case
        when abs({{ days }}) > 106751991 then {{ days }} > 0
        else {{ days }} * 86400000000 > -1 * {{ duration_microseconds(duration) }}
    end
{%- endmacro %}

{#- Only for a duration that is addable: Snowflake's years end with 9999. -#}
{% macro snowflake__sum_in_utc(moment, duration) -%}
    dateadd(
        'microsecond', {{ duration_microseconds(duration) }},
        dateadd('day', {{ duration_part(duration, 'day') }}, dateadd('month', {{ duration_months(duration) }}, {{ moment }}))
    )
{%- endmacro %}
