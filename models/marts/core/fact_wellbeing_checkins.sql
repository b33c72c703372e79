{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'checkin_id'],
    pre_hook=["{{ delete_moved_rows(ref('stg_wellbeing_checkins')) }}", "{{ avoid_nested_loops() }}"],
    indexes=[
        {'columns': ['id'], 'unique': true},
        {'columns': ['organization_id', 'date_key']},
        {'columns': ['loaded_at']},
    ]
) }}
{{- guard_history() }}
{%- set window = load_window() %}

with checkins as (
    select checkins.*
    from {{ ref('int_wellbeing_checkins') }} as checkins
    {{ join_former(this if is_incremental() else none, 'checkins', 'checkin_id') }}
    where
        checkins.created_at < {{ utc_midnight("date '" ~ window.horizon ~ "'") }}
        -- Decision D139: a row out of retention follows its source until it is purged.
        and (
            checkins.created_at >= {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
            {%- if is_incremental() %}
            or former.checkin_id is not null
            {%- endif %}
        )
        -- Decision D140: rows that arrived late or lost their person have an old updated_at.
        and (
            checkins.changed_at >= {{ moment_of(window.loaded_from) }}
            {%- if is_incremental() %}
            or former.checkin_id is null
            or (checkins.person_id is null and former.person_id is not null)
            {%- endif %}
        )
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
