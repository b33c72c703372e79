{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['review_date', 'organization_id', 'pattern_id'],
    full_refresh=false,
    post_hook="{{ delete_outdated_rows('weekly') }}",
    indexes=[{'columns': ['organization_id', 'review_date']}]
) }}
{{- guard_history() }}

{{ pattern_mart('weekly') }}
