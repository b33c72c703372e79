{{ config(unique_key='label_id') }}

with history as (
    select * from {{ ref('labels_history') }}
),

final as (
    select
        label_id,
        organization_id,
        code,
        display_name,
        description,
        category,
        color_hint
    from history
    where dbt_valid_to is null and label_id not in ({{ rejected_rows('label_definitions') }})
)

select * from final
