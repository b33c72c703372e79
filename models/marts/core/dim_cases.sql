{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'case_id'],
    pre_hook=[
        "{{ drop_former_columns(['title', 'source_keys', 'visible_source_keys']) }}",
        "{{ keep_former_rows(ref('int_case_lifecycle')) }}",
        "{{ delete_moved_rows(ref('int_case_lifecycle')) }}"
    ],
    indexes=[
        {'columns': ['organization_id', 'opened_at']},
        {'columns': ['opened_at']},
        {'columns': ['closed_at']},
        {'columns': ['quality_flags']},
        {'columns': ['loaded_at']}
    ],
    meta={'delta': 'int_case_lifecycle'}
) }}
{{- guard_history() }}
-- depends_on: {{ ref('personal_cases') }}, which reads columns of a former release that this model drops.

with lifecycle as (
    select * from {{ ref('int_case_lifecycle') }}
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

final as (
    select
        lifecycle.case_id,
        lifecycle.organization_id,
        lifecycle.label,
        lifecycle.label_base,
        lifecycle.label_category,
        lifecycle.label_subcategory,
        lifecycle.label_role,
        bases.name as label_base_name,
        categories.name as label_category_name,
        subcategories.name as label_subcategory_name,
        lifecycle.is_label_valid,
        lifecycle.domain,
        lifecycle.location,
        lifecycle.visible_domain,
        lifecycle.is_own_review,
        lifecycle.status,
        lifecycle.severity,
        lifecycle.origin_vertical_level,
        lifecycle.origin_role,
        lifecycle.opened_at,
        lifecycle.closed_at,
        lifecycle.deadline_at,
        lifecycle.visibility,
        lifecycle.strictest_visibility,
        lifecycle.quality_flags
    from lifecycle
    left join bases on lifecycle.label_base = bases.base
    left join categories on lifecycle.label_category = categories.category
    left join subcategories on lifecycle.label_subcategory = subcategories.subcategory
)

{{ only_changed('final') }}
