{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'learning_group_id'],
    pre_hook="{{ delete_moved_rows(ref('stg_learning_groups')) }}"
) }}
{{- guard_history() }}

with learning_groups as (
    select * from {{ ref('stg_learning_groups') }}
),

final as (
    select
        learning_group_id,
        organization_id,
        code,
        name,
        category
    from learning_groups
    where learning_group_id not in ({{ rejected_rows('learning_groups') }})
)

{{ only_changed('final') }}
