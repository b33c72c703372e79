select
    id as organization_id,
    coalesce(slug, cast(id as {{ type_of('text') }})) as slug,
    coalesce(display_name, slug, '') as display_name,
    coalesce({{ canonical_token('status', 'organization_status') }}, '') as status,
    coalesce(timezone, 'UTC') as timezone,
    timezone is null as is_timezone_missing,
    created_at,
    updated_at
from ({{ read_source('organizations') }}) as source
