{#- Each fact of an organization with a calendar has business times, which are there where the duration is and not longer than it; of the
    facts that were written since the test last passed. -#}
{% test business_times_match(model, fact, dated_by, start, durations) %}
{%- set key = key_of(model) %}
with load as (
    {{ latest_load(fact.identifier) }}
),

compared as (
    select
        facts.{{ key | join(',\n        facts.') }},
        business.organization_id is not null as is_counted,
        dated_by.{{ start }} as starts_at,
        {%- for duration, business in durations.items() %}
        facts.{{ duration }},
        business.{{ business }},
        {%- endfor %}
        {{ in_utc(end_of_calendars(utc_time('load.horizon'))) }} as ends_at
    from {{ fact }} as facts
    inner join {{ ref('int_business_calendars') }} as calendars on facts.organization_id = calendars.organization_id
    inner join {{ dated_by }} as dated_by
        on {% for column in key %}{{ ' and ' if not loop.first }}facts.{{ column }} = dated_by.{{ column }}{% endfor %}
    left join {{ model }} as business
        on {% for column in key %}{{ ' and ' if not loop.first }}facts.{{ column }} = business.{{ column }}{% endfor %}
    cross join load
    where {{ is_unchecked(fact.identifier, 'facts') }}
)

select {{ key | join(', ') }}
from compared
where
    not is_counted
    {%- for duration, business in durations.items() %}
    or {{ business }} not between 0 and {{ duration }}
    or ({{ business }} is not null and {{ duration }} is null)
    or ({{ business }} is null and {{ add_seconds('starts_at', duration) }} < ends_at)
    {%- endfor %}
{% endtest %}
