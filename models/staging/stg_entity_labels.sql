with source as (
    {{ read_source('entity_labels') }}
),

renamed as (
    select
        id as entity_label_id,
        organization_id,
        label_id,
        {{ canonical_token('entity_type', 'labelled_entity') }} as entity_type,
        entity_id,
        applied_at
    from source
)

select * from renamed
