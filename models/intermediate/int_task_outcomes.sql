select
    task_id,
    organization_id,
    created_date_key,
    domain,
    visibility,
    profile_code,
    reactivity_seconds,
    max_escalation_seconds,
    limits_in,
    {{ deadline_outcome('closed_at', 'deadline_at', 'horizon') }} as deadline_outcome,
    {{ is_breach('response_seconds', 'reactivity_seconds', 'is_open', 'age_seconds') }} as is_reactivity_breach,
    {{ is_breach('completion_seconds', 'max_escalation_seconds', 'is_open', 'age_seconds') }} as is_completion_breach
from (
    select
        facts.task_id,
        facts.organization_id,
        facts.created_date_key,
        {{ key_text('dimensions.type') }} as domain,
        facts.visibility,
        profiles.profile_code,
        profiles.reactivity_seconds,
        profiles.max_escalation_seconds,
        profiles.limits_in,
        dimensions.closed_at,
        dimensions.deadline_at,
        load.horizon,
        -- Closing a task counts as a response.
        case
            when profiles.limits_in = 'business'
                then {{ least_filled(['business.business_seconds_to_first_response', 'business.business_seconds_to_completion']) }}
            else {{ least_filled(['facts.time_to_first_response_seconds', 'facts.time_to_completion_seconds']) }}
        end as response_seconds,
        case
            when profiles.limits_in = 'business' then business.business_seconds_to_completion
            else facts.time_to_completion_seconds
        end as completion_seconds,
        facts.closed_date_key is null as is_open,
        case
            when facts.closed_date_key is not null or dimensions.created_at is null then null
            when profiles.limits_in = 'business'
                then {{ open_seconds('profiles', 'load.horizon') }} - {{ open_seconds('profiles', 'dimensions.created_at') }}
            else {{ elapsed_seconds('dimensions.created_at', 'load.horizon') }}
        end as age_seconds
    from {{ ref('fact_tasks') }} as facts
    left join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    left join {{ ref('fact_task_business_times') }} as business
        on facts.task_id = business.task_id and facts.organization_id = business.organization_id
    {{ join_profiles('facts', 'dimensions.type') }}
    cross join ({{ latest_load('fact_tasks') }}) as load
) as tasks
