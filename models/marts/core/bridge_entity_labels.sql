{{ config(unique_key=['organization_id', 'entity_type', 'entity_id', 'label_id']) }}

with entity_labels as (
    select * from {{ ref('int_entity_labels_checked') }}
),

final as (
    select
        entity_type,
        entity_id,
        label_id,
        organization_id,
        min(applied_at) as first_applied_at
    from entity_labels
    where is_accepted
    group by entity_type, entity_id, label_id, organization_id
)

select * from final
