-- Every event of the source is counted in fact_tasks, set aside itself, of a task that is set aside, or of one out of retention.
with load as (
    select
        {{ utc_midnight('horizon') }} as horizon,
        {{ utc_midnight('cutoff') }} as cutoff,
        loaded_through
    from {{ source('insights_ops', 'load_log') }}
    where relation_name = 'fact_tasks'
    order by load_log_id desc
    limit 1
),

rejects as (
    select source_id from {{ ref('rejects') }}
    where resolved_at is null
)

select events.event_id
from {{ ref('stg_task_events') }} as events
cross join load
left join {{ ref('fact_tasks') }} as facts on events.task_id = facts.task_id
left join {{ ref('stg_tasks') }} as tasks on events.task_id = tasks.task_id
where
    events.created_at < least(load.horizon, load.loaded_through)
    and facts.task_id is null
    and coalesce(tasks.created_at >= load.cutoff, true)
    and events.event_id not in (select rejects.source_id from rejects)
    and events.task_id not in (select rejects.source_id from rejects)
