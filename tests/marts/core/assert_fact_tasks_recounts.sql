-- The counts of fact_tasks include at least every event and comment of the source, counted here without the life-cycle model, for the
-- facts that were written since the test last passed. They may be higher: deleted events and comments count until their task is
-- recomputed. A task that was rejected after it was loaded, or that is out of retention but not yet purged, is no longer recomputed and
-- is not checked.
--
-- Facts, tasks, events and comments are one list that is aggregated once. Joins of separate counts would compare each with each other
-- where the planner expects one row.
with load as (
    {{ latest_load('fact_tasks') }}
),

facts as (
    select * from {{ ref('fact_tasks') }}
    where {{ is_unchecked('fact_tasks') }}
),

listed as (
    select
        organization_id,
        task_id,
        event_count as stored_events,
        escalation_count as stored_escalations,
        comment_count as stored_comments,
        false as is_checked,
        0 as found_events,
        0 as found_escalations,
        0 as found_comments,
        cast(null as timestamptz) as changed_at
    from facts
    union all
    select
        facts.organization_id,
        facts.task_id,
        0 as stored_events,
        0 as stored_escalations,
        0 as stored_comments,
        tasks.is_accepted and tasks.created_at >= load.cutoff as is_checked,
        0 as found_events,
        0 as found_escalations,
        0 as found_comments,
        tasks.updated_at as changed_at
    from facts
    inner join {{ ref('int_tasks_checked') }} as tasks
        on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
    cross join load
    union all
    select
        facts.organization_id,
        facts.task_id,
        0 as stored_events,
        0 as stored_escalations,
        0 as stored_comments,
        false as is_checked,
        1 as found_events,
        case when events.event_type = 'escalated' then 1 else 0 end as found_escalations,
        0 as found_comments,
        events.created_at as changed_at
    from facts
    inner join {{ ref('stg_task_events') }} as events
        on facts.task_id = events.task_id and facts.organization_id = events.organization_id
    cross join load
    where
        events.event_type in ({{ enum_tokens('task_event_type') }})
        and events.created_at >= {{ calendar_start() }}
        and events.created_at < load.horizon
    union all
    select
        facts.organization_id,
        facts.task_id,
        0 as stored_events,
        0 as stored_escalations,
        0 as stored_comments,
        false as is_checked,
        0 as found_events,
        0 as found_escalations,
        1 as found_comments,
        comments.updated_at as changed_at
    from facts
    inner join {{ ref('stg_task_comments') }} as comments on facts.task_id = comments.task_id
    cross join load
    where comments.created_at < load.horizon
)

select task_id
from listed
group by organization_id, task_id
having
    {{ any_true('is_checked') }}
    and max(changed_at) < (select load.loaded_through from load)
    and (
        sum(stored_events) < sum(found_events)
        or sum(stored_escalations) < sum(found_escalations)
        or sum(stored_comments) < sum(found_comments)
    )
