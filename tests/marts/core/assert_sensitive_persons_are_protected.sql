-- No row tied to a sensitive person is PUBLIC or INTERNAL (rule R4). The requester of a task may have been removed from the source since
-- (decision D138).
select facts.task_id as row_key
from {{ ref('fact_tasks') }} as facts
inner join {{ ref('dim_tasks') }} as tasks on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
where {{ is_unchecked('fact_tasks', 'facts') }} and facts.visibility in ('PUBLIC', 'INTERNAL') and tasks.is_about_sensitive_person
union distinct
select facts.task_id as row_key
from {{ ref('fact_tasks') }} as facts
inner join {{ ref('stg_tasks') }} as tasks on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
inner join {{ ref('dim_persons') }} as persons
    on tasks.requester_person_id = persons.person_id and tasks.organization_id = persons.organization_id
where
    {{ is_unchecked('fact_tasks', 'facts') }}
    and facts.visibility in ('PUBLIC', 'INTERNAL')
    and persons.confidentiality_level <> 'normal'
union distinct
select facts.case_id as row_key
from {{ ref('fact_cases') }} as facts
inner join {{ ref('dim_tasks') }} as tasks on facts.case_id = tasks.case_id and facts.organization_id = tasks.organization_id
left join {{ ref('stg_tasks') }} as source_tasks
    on tasks.task_id = source_tasks.task_id and tasks.organization_id = source_tasks.organization_id
left join {{ ref('dim_persons') }} as persons
    on
        source_tasks.requester_person_id = persons.person_id
        and source_tasks.organization_id = persons.organization_id
        and persons.confidentiality_level <> 'normal'
where
    {{ is_unchecked('fact_cases', 'facts') }}
    and facts.visibility in ('PUBLIC', 'INTERNAL')
    and (tasks.is_about_sensitive_person or persons.person_id is not null)
union all
select checkin_id as row_key
from {{ ref('fact_wellbeing_checkins') }}
where {{ is_unchecked('fact_wellbeing_checkins') }} and visibility in ('PUBLIC', 'INTERNAL')
