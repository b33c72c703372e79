select
    profile_code,
    default_visibility,
    reactivity_seconds,
    max_escalation_seconds,
    document,
    updated_at
from {{ source('insights_ops', 'profiles') }}
