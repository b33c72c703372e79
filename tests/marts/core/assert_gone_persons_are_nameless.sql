-- A person gone from the source has no name and no external reference left (decision D8).
select person_id
from {{ ref('dim_persons') }}
where is_gone and (full_name is not null or external_reference is not null)
