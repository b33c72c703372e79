select
    person_id,
    max(needed_on) as last_needed_on
from (
    select
        person_id,
        {{ utc_date('created_at') }} as needed_on
    from {{ ref('stg_person_profiles') }}
    union all
    select
        person_id,
        date 'infinity' as needed_on
    from {{ ref('stg_learning_group_memberships') }}
    union all
    select
        person_id,
        date_key as needed_on
    from {{ ref('fact_wellbeing_checkins') }}
    where person_id is not null
    union all
    select
        tasks.requester_person_id as person_id,
        facts.created_date_key as needed_on
    from {{ ref('stg_tasks') }} as tasks
    inner join {{ ref('fact_tasks') }} as facts on tasks.task_id = facts.task_id
    where tasks.requester_person_id is not null
) as needs
group by person_id
