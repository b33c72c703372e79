-- A person deleted from the source has neither a name nor an external reference (decision D8).
select persons.person_id
from {{ ref('dim_persons') }} as persons
inner join {{ ref('personal_persons') }} as personal
    on persons.person_id = personal.person_id and persons.organization_id = personal.organization_id
where {{ is_unchecked('dim_persons', 'persons') }} and persons.is_gone
