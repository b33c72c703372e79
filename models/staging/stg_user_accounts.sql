{{ config(post_hook='{{ allow_user_check() }}') }}

select
    id as user_id,
    organization_id,
    {{ lower_case(trimmed('status')) }} as status
from ({{ read_source('user_accounts') }}) as source
