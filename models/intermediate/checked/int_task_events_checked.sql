select
    events.*,
    {{ rejection(
        missing={
            'unknown_task': 'tasks.task_id is null',
            'missing_organization_id': 'events.organization_id is null',
            'task_of_another_organization': is_foreign('events', 'tasks'),
            'missing_created_at': 'events.created_at is null',
        },
        dates=['events.created_at'],
        tokens={'events.event_type': 'task_event_type'}
    ) }}
from {{ ref('stg_task_events') }} as events
left join {{ ref('stg_tasks') }} as tasks on events.task_id = tasks.task_id
