select
    id as learning_group_id,
    organization_id,
    coalesce(code, '') as code,
    coalesce(name, '') as name, -- noqa: RF04
    category,
    created_at,
    updated_at
from ({{ read_source('learning_groups') }}) as source
