-- The case of every task is in dim_cases, rejected, out of retention or deleted from the source.
with load as (
    {{ latest_load('dim_cases') }}
)

select tasks.task_id
from {{ ref('dim_tasks') }} as tasks
inner join {{ ref('int_cases_checked') }} as cases on tasks.case_id = cases.case_id and tasks.organization_id = cases.organization_id
cross join load
left join {{ ref('dim_cases') }} as loaded_cases
    on tasks.case_id = loaded_cases.case_id and tasks.organization_id = loaded_cases.organization_id
where
    {{ is_unchecked('dim_tasks', 'tasks') }}
    and cases.is_accepted
    and cases.opened_at >= load.cutoff
    and cases.opened_at < load.horizon
    and loaded_cases.case_id is null
