select
    events.*,
    {{ rejection(
        missing={'unknown_task': 'tasks.task_id is null', 'missing_created_at': 'events.created_at is null'},
        dates=['events.created_at'],
        tokens={'events.event_type': 'task_event_type'}
    ) }}
from {{ ref('stg_task_events') }} as events
left join {{ ref('stg_tasks') }} as tasks on events.task_id = tasks.task_id
