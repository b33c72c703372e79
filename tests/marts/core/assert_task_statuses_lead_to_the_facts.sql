-- The statuses of a task follow each other from its creation without a gap, and exactly the last one is current: that of the task.
{%- set of_task = 'partition by facts.organization_id, facts.task_id order by statuses.status_number' %}
with facts as (
    select
        facts.organization_id,
        facts.task_id,
        facts.current_status,
        facts.reopened_count,
        tasks.created_at
    from {{ ref('fact_tasks') }} as facts
    inner join {{ ref('dim_tasks') }} as tasks
        on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
    where {{ is_unchecked('fact_tasks', 'facts') }}
),

statuses as (
    select
        facts.organization_id,
        facts.task_id,
        statuses.status_number,
        statuses.status,
        statuses.is_current,
        statuses.is_reopening,
        statuses.started_at,
        statuses.ended_at,
        lag(statuses.ended_at) over ({{ of_task }}) as former_ended_at,
        row_number() over ({{ of_task }}) as place
    from facts
    inner join {{ ref('fact_task_statuses') }} as statuses
        on facts.task_id = statuses.task_id and facts.organization_id = statuses.organization_id
),

counted as (
    select
        organization_id,
        task_id,
        count(case when is_current then 1 end) as current_count,
        count(case when is_reopening then 1 end) as reopened_count,
        max(case when is_current then status end) as current_status,
        min(started_at) as first_started_at,
        bool_or(place <> status_number or (status_number > 1 and started_at is distinct from former_ended_at)) as has_gap
    from statuses
    group by organization_id, task_id
)

select facts.task_id
from facts
left join counted on facts.task_id = counted.task_id and facts.organization_id = counted.organization_id
where
    counted.current_count is distinct from 1
    or counted.current_status is distinct from facts.current_status
    or counted.first_started_at is distinct from facts.created_at
    or counted.reopened_count is distinct from coalesce(facts.reopened_count, counted.reopened_count)
    or counted.has_gap
