-- Grain: one row per case.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='case_id',
    indexes=[{'columns': ['organization_id', 'opened_at']}],
    meta={'delta': 'int_case_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_case_lifecycle') }}
),

final as (
    select
        case_id,
        organization_id,
        label,
        label_base,
        label_category,
        label_subcategory,
        label_role,
        is_label_valid,
        domain,
        location,
        source_keys,
        is_own_review,
        title,
        status,
        severity,
        origin_vertical_level,
        origin_role,
        opened_at,
        closed_at,
        deadline_at,
        visibility,
        quality_flags
    from lifecycle
)

{{ only_changed('final', 'case_id') }}
