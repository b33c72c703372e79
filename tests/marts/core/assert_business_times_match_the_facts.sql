-- Each task of an organization with a calendar has business times, which are there where the duration is and not longer than it; of
-- the facts that were written since the test last passed.
with load as (
    {{ latest_load('fact_tasks') }}
),

compared as (
    select
        facts.task_id,
        facts.organization_id,
        business.task_id is not null as is_counted,
        dimensions.created_at,
        load.horizon,
        durations.seconds,
        durations.business_seconds
    from {{ ref('fact_tasks') }} as facts
    inner join {{ ref('int_business_calendars') }} as calendars on facts.organization_id = calendars.organization_id
    inner join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    left join {{ ref('fact_task_business_times') }} as business
        on facts.task_id = business.task_id and facts.organization_id = business.organization_id
    cross join load
    cross join lateral (
        values
        (facts.time_to_first_response_seconds, business.business_seconds_to_first_response),
        (facts.time_to_completion_seconds, business.business_seconds_to_completion)
    ) as durations (seconds, business_seconds)
    where {{ is_unchecked('fact_tasks', 'facts') }}
)

select distinct
    task_id,
    organization_id
from compared
where
    not is_counted
    or business_seconds not between 0 and seconds
    or (business_seconds is not null and seconds is null)
    or (
        business_seconds is null
        and created_at + make_interval(secs => seconds) < {{ end_of_calendars("horizon at time zone 'UTC'") }} at time zone 'UTC'
    )
