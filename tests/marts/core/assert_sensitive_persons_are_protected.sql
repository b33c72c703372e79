-- No row tied to a sensitive person is PUBLIC or INTERNAL (rule R4).
with sensitive_tasks as (
    select
        tasks.organization_id,
        tasks.task_id,
        tasks.case_id
    from {{ ref('stg_tasks') }} as tasks
    inner join {{ ref('dim_persons') }} as persons
        on tasks.requester_person_id = persons.person_id and tasks.organization_id = persons.organization_id
    where persons.confidentiality_level <> 'normal'
    union
    -- The requester may have been removed from the source since (decision D138).
    select
        organization_id,
        task_id,
        case_id
    from {{ ref('dim_tasks') }}
    where is_about_sensitive_person
)

select facts.task_id as row_key
from {{ ref('fact_tasks') }} as facts
inner join sensitive_tasks on facts.task_id = sensitive_tasks.task_id and facts.organization_id = sensitive_tasks.organization_id
where facts.visibility in ('PUBLIC', 'INTERNAL')
union all
select facts.case_id as row_key
from {{ ref('fact_cases') }} as facts
inner join sensitive_tasks on facts.case_id = sensitive_tasks.case_id and facts.organization_id = sensitive_tasks.organization_id
inner join {{ ref('fact_tasks') }} as loaded_tasks
    on sensitive_tasks.task_id = loaded_tasks.task_id and sensitive_tasks.organization_id = loaded_tasks.organization_id
where facts.visibility in ('PUBLIC', 'INTERNAL')
union all
select checkin_id as row_key
from {{ ref('fact_wellbeing_checkins') }}
where visibility in ('PUBLIC', 'INTERNAL')
