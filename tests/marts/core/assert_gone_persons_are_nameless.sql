-- A person deleted from the source has neither a name nor an external reference (decision D8).
select persons.person_id
from {{ ref('dim_persons') }} as persons
inner join {{ ref('personal_persons') }} as names
    on persons.person_id = names.person_id and persons.organization_id = names.organization_id
where {{ is_unchecked('dim_persons', 'persons') }} and persons.is_gone
