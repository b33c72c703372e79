select
    *,
    {{ rejection(
        missing={
            'missing_organization_id': 'organization_id is null',
            'missing_created_at': 'created_at is null',
            'unknown_organization': is_unknown_organization('organization_id'),
            'score_out_of_range': 'score is null or score not between 1 and 10',
        },
        dates=['created_at']
    ) }}
from {{ ref('stg_wellbeing_checkins') }}
