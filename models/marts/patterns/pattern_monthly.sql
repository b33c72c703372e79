-- Grain: one row per review date, organization, kind and group.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['review_date', 'pattern_id'],
    full_refresh=false,
    post_hook="{{ delete_outdated_rows('monthly') }}",
    indexes=[{'columns': ['review_date', 'pattern_id'], 'unique': true}, {'columns': ['organization_id', 'review_date']}]
) }}
{{- guard_history() }}

{{ pattern_review('monthly') }},

reviewed as (
    {{ pattern_rows('monthly') }}
),

episodes as (
    select
        reviewed.*,
        {{ episode_start('monthly') }} as episode_start
    from reviewed
    where reviewed.review_date >= {{ purge_cutoff('pattern_result') }} and not {{ is_settled_review('monthly') }}
),

final as (
    select
        episodes.*,
        episodes.episode_start = episodes.review_date as is_new,
        now() as loaded_at
    from episodes
)

select * from final
