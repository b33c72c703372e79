{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'trend_id'],
    pre_hook='{{ delete_vanished_trends() }}',
    post_hook='{{ forget_former_rows() }}',
    indexes=[{'columns': ['organization_id', 'month']}, {'columns': ['loaded_at']}],
    meta={'load_of': 'fact_tasks'}
) }}
{{- guard_history() }}

with trends as (
    select * from {{ ref('int_monthly_trends') }}
    where not is_vanished
),

bases as (
    select * from {{ ref('label_bases') }}
),

categories as (
    select * from {{ ref('label_categories') }}
),

final as (
    select
        trends.trend_id,
        trends.month,
        trends.organization_id,
        trends.label_base,
        trends.label_category,
        bases.name as label_base_name,
        categories.name as label_category_name,
        trends.domain,
        trends.location,
        trends.severity,
        trends.visibility,
        trends.opened,
        trends.closed,
        trends.backlog,
        trends.median_first_response_seconds,
        trends.p90_first_response_seconds,
        trends.median_completion_seconds,
        trends.p90_completion_seconds,
        trends.deadline_count,
        trends.missed_count,
        trends.missed_share,
        trends.opened_oldest_date,
        trends.closed_oldest_date,
        trends.backlog_oldest_date,
        trends.deadline_oldest_date
    from trends
    left join bases on trends.label_base = bases.base
    left join categories on trends.label_category = categories.category
)

{{ only_changed('final') }}
