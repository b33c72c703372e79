-- The case of every task is in dim_cases, rejected, out of retention or deleted from the source.
with load as (
    {{ latest_load('dim_cases') }}
),

-- Found before they are looked up among the cases of the source: in one step, PostgreSQL may compare all tasks of an organization with
-- each of its cases.
unknown as {{ cte_materialized() }} (
    select
        tasks.task_id,
        tasks.case_id,
        tasks.organization_id
    from {{ ref('dim_tasks') }} as tasks
    left join {{ ref('dim_cases') }} as loaded_cases
        on tasks.case_id = loaded_cases.case_id and tasks.organization_id = loaded_cases.organization_id
    where {{ is_unchecked('dim_tasks', 'tasks') }} and tasks.case_id is not null and loaded_cases.case_id is null
)

select unknown.task_id
from unknown
inner join {{ ref('int_cases_checked') }} as cases
    on unknown.case_id = cases.case_id and unknown.organization_id = cases.organization_id
cross join load
where cases.is_accepted and cases.opened_at >= load.cutoff and cases.opened_at < load.horizon
