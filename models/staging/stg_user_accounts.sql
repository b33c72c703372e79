select
    id as user_id,
    organization_id,
    {{ lower_case('trim(status)') }} as status
from ({{ read_source('user_accounts') }}) as source
