-- Grain: one row per source row that was ever set aside, and the reason.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['source_table', 'source_id'],
    on_schema_change='append_new_columns',
    post_hook='{{ log_load() }}'
) }}
{%- set window = load_window() %}

with checked as (
    {%- for source_table, relation, id, changed_at in [
        ('tasks', ref('int_tasks_checked'), 'task_id', 'updated_at'),
        ('cases', ref('int_cases_checked'), 'case_id', 'updated_at'),
        ('task_events', ref('int_task_events_checked'), 'event_id', 'created_at'),
        ('wellbeing_checkins', ref('int_wellbeing_checkins_checked'), 'checkin_id', 'updated_at'),
    ] %}
    select
        '{{ source_table }}' as source_table,
        {{ id }} as source_id,
        organization_id,
        is_accepted,
        reject_reason,
        rejected_value,
        {{ changed_at }} as changed_at
    from {{ relation }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

rejected as (
    select
        source_table,
        source_id,
        organization_id,
        reject_reason,
        rejected_value,
        cast(null as timestamp with time zone) as resolved_at
    from checked
    where not is_accepted and coalesce(changed_at >= '{{ window.loaded_from }}', true)
),
{% if is_incremental() %}
stored as (
    select * from {{ this }} where resolved_at is null
),

-- A row set aside earlier that loads now, or that left the source, is settled.
resolved as (
    select
        stored.source_table,
        stored.source_id,
        stored.organization_id,
        stored.reject_reason,
        stored.rejected_value,
        now() as resolved_at
    from stored
    left join checked on stored.source_table = checked.source_table and stored.source_id = checked.source_id
    where coalesce(checked.is_accepted, true)
),
{% endif %}
final as (
    select * from rejected
    {%- if is_incremental() %}
    union all
    select * from resolved
    {%- endif %}
)

{{ only_changed('final', 'source_id') }}
