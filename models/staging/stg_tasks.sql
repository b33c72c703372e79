with source as (
    {{ read_source('tasks') }}
),

renamed as (
    select
        id as task_id,
        organization_id,
        case_id,
        trim(type) as type,
        {{ canonical_token('category', 'task_category') }} as category,
        subtype,
        coalesce(trim(label), '') as label,
        {{ canonical_token('status', 'task_status') }} as status,
        {{ canonical_token('priority', 'task_priority') }} as priority,
        {{ canonical_token('severity', 'task_severity') }} as severity,
        {{ canonical_token('visibility', 'visibility') }} as visibility,
        {{ canonical_token('source', 'source') }} as source,
        created_by_user_id,
        requester_person_id,
        assignee_role,
        reactivity_deadline_at,
        closed_at,
        created_at,
        greatest(created_at, updated_at) as updated_at
    from source
)

select * from renamed
