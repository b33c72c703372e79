select
    id as person_id,
    organization_id,
    linked_user_id,
    external_reference,
    full_name,
    case
        when {{ canonical_token('confidentiality_level', 'confidentiality_level') }} in ({{ enum_tokens('confidentiality_level') }})
            then {{ canonical_token('confidentiality_level', 'confidentiality_level') }}
        else 'sensitive'
    end as confidentiality_level,
    created_at,
    updated_at
from ({{ read_source('person_profiles') }}) as source
