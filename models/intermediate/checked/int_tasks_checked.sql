select
    tasks.*,
    {{ is_foreign('tasks', 'cases') }} as is_case_foreign,
    {{ is_foreign('tasks', 'persons') }} as is_requester_foreign,
    {{ is_foreign('tasks', 'linked_users') }} as is_linked_user_foreign,
    {{ is_foreign('tasks', 'creators') }} as is_creator_foreign,
    -- A requester who was deleted from the source, or who belongs to another organization, is treated as sensitive.
    tasks.requester_person_id is not null
    and (
        coalesce(persons.confidentiality_level, 'sensitive') <> 'normal' or {{ is_foreign('tasks', 'persons') }}
    ) as is_about_sensitive_person,
    -- Decision D4: a requester who is linked to a user counts as that user, so that one person is not two sources.
    coalesce(
        case
            when not ({{ is_foreign('tasks', 'persons') }} or {{ is_foreign('tasks', 'linked_users') }})
                then 'user:' || cast(persons.linked_user_id as {{ type_of('text') }})
        end,
        case when not {{ is_foreign('tasks', 'persons') }} then 'person:' || cast(tasks.requester_person_id as {{ type_of('text') }}) end,
        case when not {{ is_foreign('tasks', 'creators') }} then 'user:' || cast(tasks.created_by_user_id as {{ type_of('text') }}) end,
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
left join {{ ref('stg_cases') }} as cases on tasks.case_id = cases.case_id
left join {{ ref('stg_person_profiles') }} as persons on tasks.requester_person_id = persons.person_id
left join {{ ref('stg_user_accounts') }} as linked_users on persons.linked_user_id = linked_users.user_id
left join {{ ref('stg_user_accounts') }} as creators on tasks.created_by_user_id = creators.user_id
