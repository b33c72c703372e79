-- Each task of an organization with a calendar has business times, which are there where the duration is and not longer than it; of
-- the facts that were written since the test last passed.
with load as (
    {{ latest_load('fact_tasks') }}
),

compared as (
    select
        facts.task_id,
        facts.organization_id,
        facts.time_to_first_response_seconds,
        facts.time_to_completion_seconds,
        business.business_seconds_to_first_response,
        business.business_seconds_to_completion,
        business.task_id is not null as is_counted,
        dimensions.created_at,
        {{ end_of_calendars("load.horizon at time zone 'UTC'") }} at time zone 'UTC' as ends_at
    from {{ ref('fact_tasks') }} as facts
    inner join {{ ref('int_business_calendars') }} as calendars on facts.organization_id = calendars.organization_id
    inner join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    left join {{ ref('fact_task_business_times') }} as business
        on facts.task_id = business.task_id and facts.organization_id = business.organization_id
    cross join load
    where {{ is_unchecked('fact_tasks', 'facts') }}
)

select
    task_id,
    organization_id
from compared
where
    not is_counted
    or business_seconds_to_first_response not between 0 and time_to_first_response_seconds
    or business_seconds_to_completion not between 0 and time_to_completion_seconds
    or (business_seconds_to_first_response is not null and time_to_first_response_seconds is null)
    or (business_seconds_to_completion is not null and time_to_completion_seconds is null)
    or (business_seconds_to_first_response is null and {{ add_seconds('created_at', 'time_to_first_response_seconds') }} < ends_at)
    or (business_seconds_to_completion is null and {{ add_seconds('created_at', 'time_to_completion_seconds') }} < ends_at)
