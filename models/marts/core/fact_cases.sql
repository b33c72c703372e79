{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'case_id'],
    pre_hook="{{ delete_moved_rows(ref('int_case_lifecycle')) }}",
    indexes=[
        {'columns': ['id'], 'unique': true},
        {'columns': ['organization_id', 'opened_date_key']},
        {'columns': ['loaded_at']},
    ],
    meta={'delta': 'int_case_lifecycle'}
) }}
{{- guard_history() }}

with lifecycle as (
    select * from {{ ref('int_case_lifecycle') }}
),

final as (
    select
        {{ hash_id('case_id') }} as id,
        case_id,
        organization_id,
        {{ utc_date('opened_at') }} as opened_date_key,
        {{ utc_date('closed_at') }} as closed_date_key,
        status,
        severity,
        {{ seconds_between('opened_at', 'closed_at') }} as time_to_close_seconds,
        {{ hours(seconds_between('opened_at', 'closed_at')) }} as time_to_close_hours,
        linked_task_count,
        escalation_count,
        review_count,
        visibility
    from lifecycle
)

{{ only_changed('final') }}
