with source as (
    {{ read_source('task_comments') }}
),

renamed as (
    select
        id as comment_id,
        task_id,
        created_at,
        greatest(created_at, updated_at) as updated_at
    from source
)

select * from renamed
