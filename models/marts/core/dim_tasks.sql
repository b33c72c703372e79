-- Grain: one row per task.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='task_id',
    indexes=[{'columns': ['organization_id', 'created_at']}, {'columns': ['case_id']}],
    meta={'delta': 'int_task_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_task_lifecycle') }}
),

final as (
    select
        task_id,
        organization_id,
        case_id,
        label,
        label_base,
        label_category,
        label_subcategory,
        label_role,
        is_label_valid,
        type,
        category,
        subtype,
        priority,
        severity,
        visibility,
        source,
        assignee_role,
        created_at,
        closed_at,
        deadline_at,
        current_status,
        quality_flags
    from lifecycle
)

{{ only_changed('final', 'task_id') }}
