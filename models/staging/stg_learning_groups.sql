select
    id as learning_group_id,
    organization_id,
    code,
    name,
    category,
    created_at,
    updated_at
from ({{ read_source('learning_groups') }}) as source
