-- Grain: one row per month, organization, label base, label category, domain, location, severity and visibility.
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='trend_id',
    pre_hook='{{ delete_vanished_trends() }}',
    indexes=[{'columns': ['trend_id'], 'unique': true}, {'columns': ['organization_id', 'month']}],
    meta={'load_of': 'fact_tasks'}
) }}
{{- guard_history() }}

with trends as (
    select * from {{ ref('int_monthly_trends') }}
),

final as (
    select
        trend_id,
        month,
        organization_id,
        label_base,
        label_category,
        domain,
        location,
        severity,
        visibility,
        opened,
        closed,
        backlog,
        median_first_response_seconds,
        p90_first_response_seconds,
        median_completion_seconds,
        p90_completion_seconds,
        deadline_count,
        missed_count,
        missed_share,
        opened_oldest_date,
        closed_oldest_date,
        backlog_oldest_date,
        deadline_oldest_date
    from trends
)

{{ only_changed('final', 'trend_id') }}
