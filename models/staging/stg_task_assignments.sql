select
    id as assignment_id,
    task_id,
    assigned_role_id,
    assigned_user_id,
    coalesce(is_primary, false) as is_primary,
    assigned_at,
    unassigned_at
from ({{ read_source('task_assignments') }}) as source
