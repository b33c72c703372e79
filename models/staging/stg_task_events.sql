select
    id as event_id,
    task_id,
    organization_id,
    {{ canonical_token('event_type', 'task_event_type') }} as event_type,
    {{ upper_case(json_text('old_value', 'status')) }} as old_status,
    {{ upper_case(json_text('new_value', 'status')) }} as new_status,
    created_at
from ({{ read_source('task_events') }}) as source
