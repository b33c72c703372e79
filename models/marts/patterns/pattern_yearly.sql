{{ config(
    materialized='incremental',
    incremental_strategy='review',
    unique_key=['review_date', 'organization_id', 'pattern_id'],
    full_refresh=false,
    meta={'cadence': 'yearly'},
    indexes=[{'columns': ['organization_id', 'review_date']}]
) }}
{{- guard_history() }}

{{ pattern_mart('yearly') }}
