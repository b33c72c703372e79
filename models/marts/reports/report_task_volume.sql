{%- set key = ['day', 'organization_id', 'status', 'type', 'priority', 'severity', 'visibility'] %}
{{ config(
    materialized='materialized_view',
    unique_key=key,
    indexes=[{'columns': key, 'unique': true}],
    meta={'load_of': 'fact_tasks'}
) }}

select
    facts.created_date_key as day,
    facts.organization_id,
    facts.current_status as status,
    {{ key_text('tasks.type') }} as type,
    facts.priority,
    facts.severity,
    facts.visibility,
    cast(count(*) as integer) as task_count
from {{ ref('fact_tasks') }} as facts
left join {{ ref('dim_tasks') }} as tasks
    on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
group by
    facts.created_date_key,
    facts.organization_id,
    facts.current_status,
    {{ key_text('tasks.type') }},
    facts.priority,
    facts.severity,
    facts.visibility
