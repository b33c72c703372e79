with source as (
    {{ read_source('learning_groups') }}
),

renamed as (
    select
        id as learning_group_id,
        organization_id,
        code,
        name,
        category,
        updated_at
    from source
)

select * from renamed
