-- Grain: one row per review date, organization, kind and group.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ delete_review('monthly') }}",
    indexes=[{'columns': ['review_date', 'pattern_id'], 'unique': true}, {'columns': ['organization_id', 'review_date']}]
) }}

{{ pattern_review('monthly') }},

reviewed as (
    {{ pattern_rows('monthly') }}
),

final as (
    select
        reviewed.*,
        {{ is_new_pattern('monthly') }} as is_new,
        now() as loaded_at
    from reviewed
)

select * from final
