select
    learning_group_id,
    person_id,
    coalesce(joined_at, created_at) as joined_at,
    left_at,
    {{ greatest_filled(['joined_at', 'created_at', 'updated_at']) }} as updated_at
from ({{ read_source('learning_group_memberships') }}) as source
