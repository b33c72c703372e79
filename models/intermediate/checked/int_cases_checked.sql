select
    *,
    {{ upper_case(trimmed(json_text('metadata', 'visibility'))) }} as own_visibility,
    coalesce({{ json_text('metadata', 'origin') }} = 'insights', false) as is_own_review,
    case when location not in ('null', '{}', '""') then cast(location as {{ type_of('text') }}) end as location_text,
    {{ label_is_valid('label') }} as is_label_valid,
    {{ rejection(
        missing={
            'missing_organization_id': 'organization_id is null',
            'missing_opened_at': 'opened_at is null',
            'unknown_organization': is_unknown_organization('organization_id'),
        },
        dates=['opened_at', 'updated_at'],
        tokens={'status': 'case_status', 'severity': 'task_severity', 'source_type': 'source'}
    ) }}
from {{ ref('stg_cases') }}
