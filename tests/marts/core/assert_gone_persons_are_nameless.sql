-- A person deleted from the source has neither a name nor an external reference (decision D8).
select person_id
from {{ ref('dim_persons') }}
where {{ is_unchecked('dim_persons') }} and is_gone and (full_name is not null or external_reference is not null)
