-- Every event of the source belongs to a loaded task, is rejected itself, or belongs to a task that is rejected, out of retention, created
-- after the horizon or of another organization. An event is rejected when it is new; its task may move to another organization later.
with load as (
    {{ latest_load('fact_tasks') }}
),

rejects as (
    select source_id from {{ ref('rejects') }}
    where resolved_at is null
)

select events.event_id
from {{ ref('stg_task_events') }} as events
cross join load
left join {{ ref('fact_tasks') }} as facts on events.task_id = facts.task_id and events.organization_id = facts.organization_id
left join {{ ref('stg_tasks') }} as tasks on events.task_id = tasks.task_id
where
    {{ is_newly_loaded('events.created_at', 'fact_tasks') }}
    and events.created_at < {{ least_filled(['load.horizon', 'load.loaded_through']) }}
    and facts.task_id is null
    and coalesce(tasks.created_at >= load.cutoff and tasks.created_at < load.horizon, true)
    and not {{ is_foreign('events', 'tasks') }}
    and events.event_id not in (select rejects.source_id from rejects)
    and events.task_id not in (select rejects.source_id from rejects)
