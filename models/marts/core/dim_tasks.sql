{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'task_id'],
    pre_hook=[
        "{{ written_after(ref('int_case_lifecycle')) }}",
        "{{ keep_former_rows(ref('int_task_lifecycle')) }}",
        "{{ delete_moved_rows(ref('int_task_lifecycle')) }}",
    ],
    indexes=[
        {'columns': ['organization_id', 'created_at']},
        {'columns': ['organization_id', 'label_base', 'label_category']},
        {'columns': ['case_id']},
        {'columns': ['closed_at']},
        {'columns': ['deadline_at']},
        {'columns': ['quality_flags']},
        {'columns': ['loaded_at']},
    ],
    meta={'delta': 'int_task_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_task_lifecycle') }}
),

bases as (
    select * from {{ ref('label_bases') }}
),

categories as (
    select * from {{ ref('label_categories') }}
),

subcategories as (
    select * from {{ ref('label_subcategories') }}
),

-- Codes are unique for each organization, unless the source has no such key.
roles as (
    select
        organization_id,
        code,
        cast(min(cast(role_id as {{ type_of('text') }})) as {{ type_of('uuid') }}) as role_id
    from {{ ref('stg_roles') }}
    where role_id not in ({{ rejected_rows('roles') }})
    group by organization_id, code
),

final as (
    select
        lifecycle.task_id,
        lifecycle.organization_id,
        lifecycle.case_id,
        lifecycle.label,
        lifecycle.label_base,
        lifecycle.label_category,
        lifecycle.label_subcategory,
        lifecycle.label_role,
        bases.name as label_base_name,
        categories.name as label_category_name,
        subcategories.name as label_subcategory_name,
        lifecycle.is_label_valid,
        lifecycle.type,
        lifecycle.category,
        lifecycle.subtype,
        lifecycle.priority,
        lifecycle.severity,
        lifecycle.visibility,
        lifecycle.is_about_sensitive_person,
        lifecycle.source,
        lifecycle.assignee_role,
        coalesce(roles.role_id, default_roles.role_id) as role_id,
        lifecycle.created_at,
        lifecycle.closed_at,
        lifecycle.deadline_at,
        lifecycle.current_status,
        lifecycle.quality_flags
    from lifecycle
    left join bases on lifecycle.label_base = bases.base
    left join categories on lifecycle.label_category = categories.category
    left join subcategories on lifecycle.label_subcategory = subcategories.subcategory
    left join roles on lifecycle.assignee_role = roles.code and lifecycle.organization_id = roles.organization_id
    left join roles as default_roles on lifecycle.assignee_role = default_roles.code and default_roles.organization_id is null
)

{{ only_changed('final') }}
