-- Grain: one row per review date, organization, kind and group.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ delete_review('weekly') }}",
    indexes=[{'columns': ['review_date', 'pattern_id'], 'unique': true}, {'columns': ['organization_id', 'review_date']}]
) }}

{{ pattern_review('weekly') }},

reviewed as (
    {{ pattern_rows('weekly') }}
    {{ needs_attention_rows() }}
),

final as (
    select
        reviewed.*,
        {{ is_new_pattern('weekly') }} as is_new,
        now() as loaded_at
    from reviewed
)

select * from final
