select
    id as entity_label_id,
    organization_id,
    label_id,
    {{ canonical_token('entity_type', 'labelled_entity') }} as entity_type,
    entity_id,
    applied_at
from ({{ read_source('entity_labels') }}) as source
