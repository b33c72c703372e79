select
    id as task_id,
    organization_id,
    case_id,
    {{ trimmed('type') }} as type,
    {{ canonical_token('category', 'task_category') }} as category,
    subtype,
    coalesce({{ trimmed('label') }}, '') as label,
    {{ canonical_token('status', 'task_status') }} as status,
    {{ canonical_token('priority', 'task_priority') }} as priority,
    {{ canonical_token('severity', 'task_severity') }} as severity,
    {{ canonical_token('visibility', 'visibility') }} as visibility,
    {{ canonical_token('source', 'source') }} as source,
    created_by_user_id,
    requester_person_id,
    assignee_role,
    reactivity_deadline_at,
    closed_at,
    created_at,
    {{ greatest_filled(['created_at', 'updated_at']) }} as updated_at
-- Not called source: in BigQuery, that name would mean the row and not its column.
from ({{ read_source('tasks') }}) as delivered
