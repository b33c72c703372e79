-- The counts of fact_tasks include at least every event and comment of the source, counted here without the life-cycle model, for the
-- facts that were written since the test last passed. They may be higher: deleted events and comments count until their task is
-- recomputed. A task that was rejected after it was loaded, or that is out of retention but not yet purged, is no longer recomputed and
-- is not checked.
with load as (
    {{ latest_load('fact_tasks') }}
),

events as (
    select
        events.organization_id,
        events.task_id,
        count(*) as event_count,
        sum(case when events.event_type = 'escalated' then 1 else 0 end) as escalation_count,
        max(events.created_at) as last_event_at
    from {{ ref('stg_task_events') }} as events
    inner join {{ ref('fact_tasks') }} as facts on events.task_id = facts.task_id and events.organization_id = facts.organization_id
    cross join load
    where
        {{ is_unchecked('fact_tasks', 'facts') }}
        and events.event_type in ({{ enum_tokens('task_event_type') }})
        and events.created_at >= {{ calendar_start() }}
        and events.created_at < load.horizon
    group by events.organization_id, events.task_id
),

comments as (
    select
        comments.task_id,
        count(*) as comment_count,
        max(comments.updated_at) as last_comment_at
    from {{ ref('stg_task_comments') }} as comments
    inner join {{ ref('fact_tasks') }} as facts on comments.task_id = facts.task_id
    cross join load
    where {{ is_unchecked('fact_tasks', 'facts') }} and comments.created_at < load.horizon
    group by comments.task_id
)

select facts.task_id
from {{ ref('fact_tasks') }} as facts
inner join {{ ref('int_tasks_checked') }} as tasks on facts.task_id = tasks.task_id and facts.organization_id = tasks.organization_id
cross join load
left join events on facts.task_id = events.task_id and facts.organization_id = events.organization_id
left join comments on facts.task_id = comments.task_id
where
    {{ is_unchecked('fact_tasks', 'facts') }}
    and tasks.is_accepted
    and tasks.created_at >= load.cutoff
    and greatest(tasks.updated_at, events.last_event_at, comments.last_comment_at) < load.loaded_through
    and (
        facts.event_count < coalesce(events.event_count, 0)
        or facts.escalation_count < coalesce(events.escalation_count, 0)
        or facts.comment_count < coalesce(comments.comment_count, 0)
    )
