select
    id as label_id,
    organization_id,
    coalesce(code, '') as code,
    coalesce(display_name, '') as display_name,
    description,
    category,
    color_hint,
    updated_at
from ({{ read_source('label_definitions') }}) as source
