with source as (
    {{ read_source('user_accounts') }}
),

renamed as (
    select
        id as user_id,
        organization_id,
        lower(trim(status)) as status
    from source
)

select * from renamed
