{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['source_table', 'source_id'],
    on_schema_change='append_new_columns',
    post_hook='{{ log_load() }}'
) }}
{{- guard_history() }}
{%- set window = load_window() %}
{%- set since = moment_of(window.loaded_from) %}
{%- set changed = '(' ~ happened_since('updated_at', since) ~ ' or updated_at is null)' %}
{%- set event_happened = '(created_at >= ' ~ since ~ ' or created_at is null)' %}
{%- set applied = '(' ~ happened_since('applied_at', since) ~ ' or applied_at is null)' %}
{%- set sources = [
    (['tasks'], ref('int_tasks_checked'), 'task_id', changed),
    (['cases'], ref('int_cases_checked'), 'case_id', changed),
    (['task_events'], ref('int_task_events_checked'), 'event_id', event_happened),
    (['wellbeing_checkins'], ref('int_wellbeing_checkins_checked'), 'checkin_id', changed),
    (['entity_labels'], ref('int_entity_labels_checked'), 'entity_label_id', applied),
    (['person_profiles', 'learning_groups', 'roles', 'label_definitions'], ref('int_dimensions_checked'), 'source_id', changed),
] %}

with rejected as (
    {%- for source_tables, relation, id, is_new in sources %}
    select
        {{ sql_list(source_tables) ~ ' as source_table' if source_tables | length == 1 else 'source_table' }},
        {{ id }}{{ ' as source_id' if id != 'source_id' }},
        organization_id,
        reject_reason,
        rejected_value,
        cast(null as {{ type_of('timestamp with time zone') }}) as resolved_at
    from {{ relation }}
    where not is_accepted and {{ is_new }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),
{% if is_incremental() %}
-- A row rejected earlier is resolved when it is accepted now or has been deleted from the source.
resolved as (
    {%- for source_tables, relation, id, _ in sources %}
    select
        earlier.source_table,
        earlier.source_id,
        earlier.organization_id,
        earlier.reject_reason,
        earlier.rejected_value,
        {{ current_moment() }} as resolved_at
    from {{ this }} as earlier
    left join {{ relation }} as source_row
        on
            earlier.source_id = source_row.{{ id }}
            {%- if source_tables | length > 1 %}
            and earlier.source_table = source_row.source_table
            {%- endif %}
    where
        earlier.source_table in ({{ sql_list(source_tables) }})
        and earlier.resolved_at is null
        and coalesce(source_row.is_accepted, true)
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),
{% endif %}
final as (
    select * from rejected
    {%- if is_incremental() %}
    union all
    select * from resolved
    {%- endif %}
)

{{ only_changed('final') }}
