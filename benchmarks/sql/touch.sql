-- Adds the changes of the day before as_of. source.py sets benchmark.share and benchmark.as_of and runs the steps in
-- one transaction. 40% of the affected tasks are completed, 30% get a comment, and 30% are new (every third of them in
-- an existing case, which is updated).
-- Hashes of ids and the day select the tasks, so the same day produces the same changes.

-- step: select tasks
create temporary table day on commit drop as
select
    as_of - interval '1 day' as starts_at,
    extract(epoch from as_of)::bigint as salt,
    round(touched * 0.4)::bigint as ended,
    round(touched * 0.3)::bigint as commented,
    round(touched * 0.3)::bigint as fresh
from
    (select current_setting('benchmark.as_of')::date::timestamp at time zone 'UTC' as as_of) as given,
    (select count(*) * current_setting('benchmark.share')::numeric as touched from tasks) as wanted;

create temporary table ended on commit drop as
select
    id,
    organization_id,
    owner_user_id,
    status,
    starts_at + interval '1 day' * (row_number() over chosen - 0.5) / nullif(day.ended, 0) as at
from day, tasks
where status in ('PENDING', 'IN_PROGRESS', 'ON_HOLD', 'ESCALATED')
window chosen as (order by uuid_hash_extended(id, salt), id)
order by uuid_hash_extended(id, salt), id
limit (select ended from day);

create temporary table commented on commit drop as
select
    id,
    organization_id,
    created_by_user_id as author_id,
    gen.comment_id,
    starts_at + interval '1 day' * (row_number() over chosen - 0.5) / nullif(day.commented, 0) as at
from day, tasks, lateral (select md5('comment' || salt || id)::uuid as comment_id) as gen
where id not in (select id from ended)
window chosen as (order by uuid_hash_extended(id, salt + 1), id)
order by uuid_hash_extended(id, salt + 1), id
limit (select commented from day);

-- A new task copies its people and properties from an existing one.
create temporary table fresh on commit drop as
select
    t.*,
    md5('task' || salt || t.id)::uuid as new_id,
    row_number() over chosen as n,
    starts_at + interval '1 day' * (row_number() over chosen - 0.5) / nullif(day.fresh, 0) as at
from day, tasks as t
where t.case_id is not null
window chosen as (order by uuid_hash_extended(t.id, salt + 2), t.id)
order by uuid_hash_extended(t.id, salt + 2), t.id
limit (select fresh from day);

-- step: complete tasks
update tasks as t
set status = 'COMPLETED', closed_at = ended.at, updated_at = ended.at
from ended
where ended.id = t.id;

insert into task_events (id, task_id, organization_id, event_type, old_value, new_value, actor_user_id, created_at)
select
    md5('end' || salt || id)::uuid,
    id,
    organization_id,
    'status_changed',
    jsonb_build_object('status', status),
    '{"status": "COMPLETED"}',
    owner_user_id,
    at
from day, ended;

-- step: comments
insert into task_comments (id, task_id, author_user_id, body, created_at, updated_at)
select
    comment_id,
    id,
    author_id,
    'One more comment',
    at,
    at
from commented;

insert into task_events (id, task_id, organization_id, event_type, new_value, actor_user_id, created_at)
select
    md5('comment event' || salt || id)::uuid,
    id,
    organization_id,
    'comment_added',
    jsonb_build_object('comment_id', comment_id),
    author_id,
    at
from day, commented;

-- step: new tasks
insert into tasks (
    id, organization_id, case_id, type, category, subtype, label, title, priority, severity, visibility, source,
    created_by_user_id, requester_person_id, owner_role_id, assignee_role, reactivity_time, reactivity_deadline_at,
    metadata, created_at, updated_at
)
select
    new_id,
    organization_id,
    case when n % 3 = 0 then case_id end,
    type,
    category,
    subtype,
    label,
    'New task',
    priority,
    severity,
    visibility,
    source,
    created_by_user_id,
    requester_person_id,
    owner_role_id,
    assignee_role,
    reactivity_time,
    at + reactivity_time,
    metadata,
    at,
    at
from fresh;

insert into task_events (id, task_id, organization_id, event_type, new_value, actor_user_id, created_at)
select
    md5('created' || salt || id)::uuid,
    new_id,
    organization_id,
    'created',
    '{"status": "PENDING"}',
    created_by_user_id,
    at
from day, fresh;

update cases as c
set status = 'in_progress', updated_at = fresh.at
from (select case_id, max(at) as at from fresh where n % 3 = 0 group by case_id) as fresh
where fresh.case_id = c.id;
