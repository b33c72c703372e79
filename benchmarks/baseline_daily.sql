-- A handwritten daily load, as a lower bound for dbt: recompute what changed since the last load, and write the rows that
-- differ. The last load covered data up to the clock's as_of, exclusive. psql variable: as_of, the day after the last event.
\set ON_ERROR_STOP on
set search_path = baseline, public;
set timezone = 'UTC';
set jit = off;
begin;

select as_of as since from clock \gset
update clock set as_of = :'as_of', cutoff = :'as_of'::timestamptz - interval '730 days';

create temporary table changed_tasks on commit drop as
select id from tasks where updated_at >= :'since'
union
select task_id from task_events where created_at >= :'since'
union
select task_id from task_comments where updated_at >= :'since'
union
select tasks.id
from tasks
inner join person_profiles on tasks.requester_person_id = person_profiles.id
where person_profiles.updated_at >= :'since';
analyze changed_tasks;

-- Includes the previous cases of changed tasks, because a task can be moved to another case.
create temporary table changed_cases on commit drop as
select id from cases where updated_at >= :'since'
union
select case_id from tasks where id in (select id from changed_tasks) and case_id is not null
union
select case_id from dim_tasks where task_id in (select id from changed_tasks) and case_id is not null
union
select cases.id
from cases
inner join organization_profiles on cases.organization_id = organization_profiles.organization_id
where organization_profiles.updated_at >= :'since';
analyze changed_cases;

merge into dim_tasks as stored
using (select * from task_rows where task_id in (select id from changed_tasks)) as fresh on stored.task_id = fresh.task_id
when matched and row(
    stored.organization_id, stored.case_id, stored.label, stored.type, stored.category, stored.subtype, stored.priority,
    stored.severity, stored.visibility, stored.source, stored.assignee_role, stored.created_at, stored.closed_at,
    stored.current_status, stored.quality_flags
) is distinct from row(
    fresh.organization_id, fresh.case_id, fresh.label, fresh.type, fresh.category, fresh.subtype, fresh.priority,
    fresh.severity, fresh.visibility, fresh.source, fresh.assignee_role, fresh.created_at, fresh.closed_at,
    fresh.current_status, fresh.quality_flags
) then update set
    organization_id = fresh.organization_id,
    case_id = fresh.case_id,
    label = fresh.label,
    label_base = fresh.label_base,
    label_category = fresh.label_category,
    label_subcategory = fresh.label_subcategory,
    label_role = fresh.label_role,
    is_label_valid = fresh.is_label_valid,
    type = fresh.type,
    category = fresh.category,
    subtype = fresh.subtype,
    priority = fresh.priority,
    severity = fresh.severity,
    visibility = fresh.visibility,
    source = fresh.source,
    assignee_role = fresh.assignee_role,
    created_at = fresh.created_at,
    closed_at = fresh.closed_at,
    current_status = fresh.current_status,
    quality_flags = fresh.quality_flags,
    loaded_at = now()
when not matched then insert values (
    fresh.task_id, fresh.organization_id, fresh.case_id, fresh.label, fresh.label_base, fresh.label_category,
    fresh.label_subcategory, fresh.label_role, fresh.is_label_valid, fresh.type, fresh.category, fresh.subtype, fresh.priority,
    fresh.severity, fresh.visibility, fresh.source, fresh.assignee_role, fresh.created_at, fresh.closed_at,
    fresh.current_status, fresh.quality_flags, now()
);

merge into fact_tasks as stored
using (
    select
        hash_id(t.task_id) as id,
        t.task_id,
        organization_id,
        created_at::date as created_date_key,
        closed_at::date as closed_date_key,
        current_status,
        priority,
        severity,
        source,
        seconds_between(created_at, least(events.first_at, comments.first_at)) as time_to_first_response_seconds,
        seconds_between(created_at, closed_at) as time_to_completion_seconds,
        escalation_count,
        comment_count,
        event_count,
        visibility
    from dim_tasks as t
    cross join lateral (
        select
            count(*)::integer as event_count,
            count(*) filter (where event_type = 'escalated')::integer as escalation_count,
            min(e.created_at) filter (
                where
                    e.created_at > t.created_at
                    and (
                        event_type in ('ownership_changed', 'comment_added')
                        or (
                            event_type = 'status_changed'
                            and coalesce(old_value ->> 'status', 'PENDING') = 'PENDING'
                            and new_value ->> 'status' <> 'PENDING'
                        )
                    )
            ) as first_at
        from task_events as e
        where e.task_id = t.task_id and e.created_at < (select as_of from clock)
    ) as events
    cross join lateral (
        select
            count(*)::integer as comment_count,
            min(c.created_at) filter (where c.created_at > t.created_at) as first_at
        from task_comments as c
        where c.task_id = t.task_id and c.created_at < (select as_of from clock)
    ) as comments
    where t.task_id in (select id from changed_tasks)
) as fresh on stored.task_id = fresh.task_id
when matched and row(
    stored.organization_id, stored.created_date_key, stored.closed_date_key, stored.current_status, stored.priority,
    stored.severity, stored.source, stored.time_to_first_response_seconds, stored.time_to_completion_seconds,
    stored.escalation_count, stored.comment_count, stored.event_count, stored.visibility
) is distinct from row(
    fresh.organization_id, fresh.created_date_key, fresh.closed_date_key, fresh.current_status, fresh.priority,
    fresh.severity, fresh.source, fresh.time_to_first_response_seconds, fresh.time_to_completion_seconds,
    fresh.escalation_count, fresh.comment_count, fresh.event_count, fresh.visibility
) then update set
    organization_id = fresh.organization_id,
    created_date_key = fresh.created_date_key,
    closed_date_key = fresh.closed_date_key,
    current_status = fresh.current_status,
    priority = fresh.priority,
    severity = fresh.severity,
    source = fresh.source,
    time_to_first_response_seconds = fresh.time_to_first_response_seconds,
    time_to_completion_seconds = fresh.time_to_completion_seconds,
    escalation_count = fresh.escalation_count,
    comment_count = fresh.comment_count,
    event_count = fresh.event_count,
    visibility = fresh.visibility,
    loaded_at = now()
when not matched then insert values (
    fresh.id, fresh.task_id, fresh.organization_id, fresh.created_date_key, fresh.closed_date_key, fresh.current_status,
    fresh.priority, fresh.severity, fresh.source, fresh.time_to_first_response_seconds, fresh.time_to_completion_seconds,
    fresh.escalation_count, fresh.comment_count, fresh.event_count, fresh.visibility, now()
);

merge into dim_cases as stored
using (select * from case_rows where case_id in (select id from changed_cases)) as fresh on stored.case_id = fresh.case_id
when matched and row(
    stored.organization_id, stored.label, stored.title, stored.status, stored.severity, stored.origin_vertical_level,
    stored.origin_role, stored.opened_at, stored.closed_at, stored.visibility, stored.quality_flags
) is distinct from row(
    fresh.organization_id, fresh.label, fresh.title, fresh.status, fresh.severity, fresh.origin_vertical_level,
    fresh.origin_role, fresh.opened_at, fresh.closed_at, fresh.visibility, fresh.quality_flags
) then update set
    organization_id = fresh.organization_id,
    label = fresh.label,
    label_base = fresh.label_base,
    label_category = fresh.label_category,
    label_subcategory = fresh.label_subcategory,
    label_role = fresh.label_role,
    is_label_valid = fresh.is_label_valid,
    title = fresh.title,
    status = fresh.status,
    severity = fresh.severity,
    origin_vertical_level = fresh.origin_vertical_level,
    origin_role = fresh.origin_role,
    opened_at = fresh.opened_at,
    closed_at = fresh.closed_at,
    visibility = fresh.visibility,
    quality_flags = fresh.quality_flags,
    loaded_at = now()
when not matched then insert values (
    fresh.case_id, fresh.organization_id, fresh.label, fresh.label_base, fresh.label_category, fresh.label_subcategory,
    fresh.label_role, fresh.is_label_valid, fresh.title, fresh.status, fresh.severity, fresh.origin_vertical_level,
    fresh.origin_role, fresh.opened_at, fresh.closed_at, fresh.visibility, fresh.quality_flags, now()
);

merge into fact_cases as stored
using (select * from case_facts where case_id in (select id from changed_cases)) as fresh on stored.case_id = fresh.case_id
when matched and row(
    stored.organization_id, stored.opened_date_key, stored.closed_date_key, stored.status, stored.severity,
    stored.linked_task_count, stored.escalation_count, stored.review_count, stored.visibility
) is distinct from row(
    fresh.organization_id, fresh.opened_date_key, fresh.closed_date_key, fresh.status, fresh.severity,
    fresh.linked_task_count, fresh.escalation_count, fresh.review_count, fresh.visibility
) then update set
    organization_id = fresh.organization_id,
    opened_date_key = fresh.opened_date_key,
    closed_date_key = fresh.closed_date_key,
    status = fresh.status,
    severity = fresh.severity,
    linked_task_count = fresh.linked_task_count,
    escalation_count = fresh.escalation_count,
    review_count = fresh.review_count,
    visibility = fresh.visibility,
    loaded_at = now()
when not matched then insert values (
    fresh.id, fresh.case_id, fresh.organization_id, fresh.opened_date_key, fresh.closed_date_key, fresh.status, fresh.severity,
    fresh.linked_task_count, fresh.escalation_count, fresh.review_count, fresh.visibility, now()
);

commit;
