select
    tasks.*,
    sensitive_persons.person_id is not null as is_about_sensitive_person,
    {{ label_is_valid('tasks.label') }} as is_label_valid,
    {{ rejection(
        missing={'missing_organization_id': 'tasks.organization_id is null', 'missing_created_at': 'tasks.created_at is null'},
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
left join {{ ref('stg_person_profiles') }} as sensitive_persons
    on
        tasks.requester_person_id = sensitive_persons.person_id
        and sensitive_persons.confidentiality_level in ('sensitive', 'highly_sensitive')
