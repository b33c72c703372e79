with tasks as (
    select * from {{ ref('stg_tasks') }}
),

sensitive_persons as (
    select person_id
    from {{ ref('stg_person_profiles') }}
    where confidentiality_level in ('sensitive', 'highly_sensitive')
),

final as (
    select
        tasks.*,
        sensitive_persons.person_id is not null as is_about_sensitive_person,
        {{ label_is_valid('label') }} as is_label_valid,
        {{ rejection(
            missing={'missing_organization_id': 'organization_id is null', 'missing_created_at': 'created_at is null'},
            dates=['created_at', 'closed_at'],
            tokens={
                'status': 'task_status',
                'priority': 'task_priority',
                'severity': 'task_severity',
                'category': 'task_category',
                'source': 'source',
            }
        ) }}
    from tasks
    left join sensitive_persons on tasks.requester_person_id = sensitive_persons.person_id
)

select * from final
