{{ config(unique_key=['organization_id', 'person_id']) }}

with persons as (
    select * from {{ ref('dim_persons') }}
    where not is_gone
),

profiles as (
    select * from {{ ref('stg_person_profiles') }}
),

final as (
    select
        persons.person_id,
        persons.organization_id,
        profiles.full_name,
        profiles.external_reference
    from persons
    inner join profiles
        on persons.person_id = profiles.person_id and persons.organization_id = profiles.organization_id
)

select * from final
