select
    *,
    {{ rejection(
        missing={
            'missing_organization_id': 'organization_id is null',
            'missing_entity_id': 'entity_id is null',
            'missing_applied_at': 'applied_at is null',
            'unknown_organization': is_unknown_organization('organization_id'),
            'unknown_label': 'label_id is null or label_id not in (' ~ accepted_rows('label_definitions') ~ ')',
        },
        tokens={'entity_type': 'labelled_entity'}
    ) }}
from {{ ref('stg_entity_labels') }}
