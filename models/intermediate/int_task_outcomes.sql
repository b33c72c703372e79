select
    task_id,
    organization_id,
    created_date_key,
    domain,
    visibility,
    profile_code,
    reactivity_seconds,
    max_escalation_seconds,
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
        dimensions.closed_at,
        dimensions.deadline_at,
        load.horizon,
        -- Closing a task counts as a response.
        least(facts.time_to_first_response_seconds, facts.time_to_completion_seconds) as response_seconds,
        facts.time_to_completion_seconds as completion_seconds,
        facts.closed_date_key is null as is_open,
        extract(epoch from load.horizon - dimensions.created_at) as age_seconds
    from {{ ref('fact_tasks') }} as facts
    left join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    {{ join_profiles('facts', 'dimensions.type') }}
    cross join ({{ latest_load('fact_tasks') }}) as load
) as tasks
