select
    learning_group_id,
    person_id,
    joined_at,
    left_at,
    greatest(joined_at, updated_at) as updated_at
from ({{ read_source('learning_group_memberships') }}) as source
