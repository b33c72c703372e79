select
    id as role_id,
    organization_id,
    coalesce(code, '') as code,
    coalesce(display_name, '') as display_name,
    description,
    coalesce(is_system_role, false) as is_system_role,
    updated_at
from ({{ read_source('roles') }}) as source
