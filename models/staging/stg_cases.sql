select
    id as case_id,
    organization_id,
    {{ canonical_token('source_type', 'source') }} as source_type,
    source_reference,
    coalesce({{ trimmed('label') }}, '') as label,
    title,
    {{ canonical_token('status', 'case_status') }} as status,
    {{ canonical_token('severity', 'task_severity') }} as severity,
    reactivity_time,
    origin_vertical_level,
    origin_role,
    location,
    metadata,
    created_at as opened_at,
    {{ greatest_filled(['created_at', 'updated_at']) }} as updated_at
from ({{ read_source('cases') }}) as source
