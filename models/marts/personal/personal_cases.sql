{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'case_id'],
    pre_hook="{{ delete_moved_rows(ref('int_case_lifecycle')) }}",
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
        title,
        source_keys,
        visible_source_keys
    from lifecycle
    {{ keys_of_former_release() }}
)

{{ only_changed('final') }}
