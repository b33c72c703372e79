select
    id as comment_id,
    task_id,
    created_at,
    {{ greatest_filled(['created_at', 'updated_at']) }} as updated_at
from ({{ read_source('task_comments') }}) as source
