-- Grain: one row per wellbeing check-in.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'checkin_id'],
    pre_hook="{{ delete_moved_rows(ref('stg_wellbeing_checkins')) }}",
    indexes=[{'columns': ['organization_id', 'date_key']}]
) }}
{{- guard_history() }}
{%- set window = load_window() %}

with checkins as (
    select * from {{ ref('int_wellbeing_checkins') }}
    where
        created_at < {{ utc_midnight("date '" ~ window.horizon ~ "'") }}
        and created_at >= {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
        and changed_at >= '{{ window.loaded_from }}'
),

final as (
    select
        {{ hash_id('checkin_id') }} as id,
        checkin_id,
        organization_id,
        person_id,
        learning_group_id,
        {{ utc_date('created_at') }} as date_key,
        score,
        tags,
        related_case_id,
        related_task_id,
        visibility,
        quality_flags
    from checkins
)

{{ only_changed('final') }}
