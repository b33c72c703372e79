select
    tasks.*,
    -- A requester who was deleted from the source is treated as sensitive.
    tasks.requester_person_id is not null
    and coalesce(persons.confidentiality_level, 'sensitive') <> 'normal' as is_about_sensitive_person,
    -- Decision D4: a requester who is linked to a user counts as that user, so that one person is not two sources.
    coalesce(
        'user:' || persons.linked_user_id,
        'person:' || tasks.requester_person_id,
        'user:' || tasks.created_by_user_id,
        'channel:' || tasks.source
    ) as source_key,
    {{ label_is_valid('tasks.label') }} as is_label_valid,
    {{ rejection(
        missing={
            'missing_organization_id': 'tasks.organization_id is null',
            'missing_created_at': 'tasks.created_at is null',
            'unknown_organization': is_unknown_organization('tasks.organization_id'),
        },
        dates=['tasks.created_at', 'tasks.closed_at', 'tasks.updated_at'],
        tokens={
            'tasks.status': 'task_status',
            'tasks.priority': 'task_priority',
            'tasks.severity': 'task_severity',
            'tasks.category': 'task_category',
            'tasks.source': 'source',
        }
    ) }}
from {{ ref('stg_tasks') }} as tasks
left join {{ ref('stg_person_profiles') }} as persons on tasks.requester_person_id = persons.person_id
