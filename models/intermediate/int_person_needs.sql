select
    organization_id,
    person_id,
    max(needed_on) as last_needed_on
from (
    select
        organization_id,
        person_id,
        {{ utc_date('created_at') }} as needed_on
    from {{ ref('stg_person_profiles') }}
    union all
    select
        learning_groups.organization_id,
        memberships.person_id,
        {{ last_day() }} as needed_on
    from {{ ref('stg_learning_group_memberships') }} as memberships
    inner join {{ ref('stg_learning_groups') }} as learning_groups
        on memberships.learning_group_id = learning_groups.learning_group_id
    union all
    select
        organization_id,
        person_id,
        date_key as needed_on
    from {{ ref('fact_wellbeing_checkins') }}
    where person_id is not null
    union all
    select
        tasks.organization_id,
        tasks.requester_person_id as person_id,
        facts.created_date_key as needed_on
    from {{ ref('stg_tasks') }} as tasks
    inner join {{ ref('fact_tasks') }} as facts
        on tasks.task_id = facts.task_id and tasks.organization_id = facts.organization_id
    where tasks.requester_person_id is not null
) as needs
group by organization_id, person_id
