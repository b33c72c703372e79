{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['organization_id', 'domain', 'severity', 'visibility', 'age_band', 'first_day'],
    pre_hook=['{{ keep_backlog_tasks() }}', '{{ replace_backlog_spans() }}'],
    post_hook='{{ forget_former_rows() }}',
    indexes=[{'columns': ['organization_id', 'last_day']}, {'columns': ['loaded_at']}],
    meta={'load_of': 'fact_tasks'}
) }}
{{- guard_history() }}

-- The load is that of the facts, so they are loaded first: depends_on {{ ref('fact_tasks') }}
with
{% if stored_backlog() %}
final as (
    select
        organization_id,
        domain,
        severity,
        visibility,
        age_band,
        first_day,
        last_day,
        min_age_days,
        open_count
    from {{ temporary('backlog_spans') }}
    where not is_vanished
)
{% else %}
{{ backlog_steps() }},

final as (
    {{ backlog_spans('steps') }}
)
{% endif %}
{{ only_changed('final') }}
