{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'day', 'domain', 'severity', 'visibility', 'age_band'],
    pre_hook='{{ delete_vanished_backlogs() }}',
    post_hook='{{ forget_former_rows() }}',
    indexes=[{'columns': ['day']}, {'columns': ['loaded_at']}],
    meta={'load_of': 'int_task_backlog'}
) }}
{{- guard_history() }}

with backlog as (
    select * from {{ ref('int_task_backlog') }}
    where not is_vanished
),

final as (
    select
        organization_id,
        day,
        domain,
        severity,
        visibility,
        age_band,
        min_age_days,
        open_count,
        opened_count
    from backlog
)

{{ only_changed('final') }}
