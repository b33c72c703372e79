-- Grain: one row per classification label that an organization put on an entity.
{{ config(unique_key=['organization_id', 'entity_type', 'entity_id', 'label_id']) }}

with entity_labels as (
    select * from {{ ref('stg_entity_labels') }}
),

final as (
    select
        entity_type,
        entity_id,
        label_id,
        organization_id,
        min(applied_at) as first_applied_at
    from entity_labels
    where entity_type in ({{ enum_tokens('labelled_entity') }})
    group by entity_type, entity_id, label_id, organization_id
)

select * from final
