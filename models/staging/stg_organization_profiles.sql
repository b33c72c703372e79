with source as (
    {{ read_source('organization_profiles') }}
),

renamed as (
    select
        organization_id,
        nullif(trim(profile_code), '') as profile_code,
        updated_at
    from source
)

select * from renamed
