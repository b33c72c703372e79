select
    organization_id,
    nullif({{ trimmed('profile_code') }}, '') as profile_code,
    updated_at
from ({{ read_source('organization_profiles') }}) as source
where organization_id is not null
