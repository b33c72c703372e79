-- Fills an empty operational database with valid data for benchmarks. source.py sets benchmark.tasks,
-- benchmark.organizations and benchmark.as_of and runs the steps in one transaction.
-- All values come from hashes of row numbers, so the same settings produce the same rows. Task n is the n-th by time.
-- `offset 0` keeps PostgreSQL from merging a subquery into its user, which would compute a hash once for each use.

-- step: settings
create temporary table scale on commit drop as
select
    tasks,
    organizations,
    as_of,
    tasks / 10 as cases,
    greatest(tasks / 50 / organizations, 1) as persons_each,
    greatest(tasks / 500 / organizations, 1) as users_each,
    interval '700 days' / tasks as pace
from (
    select
        current_setting('benchmark.tasks')::bigint as tasks,
        current_setting('benchmark.organizations')::bigint as organizations,
        current_setting('benchmark.as_of')::date::timestamp at time zone 'UTC' as as_of
) as given;

-- Id of the n-th row of a kind, distributed like a random UUID.
create function pg_temp.id(kind text, n bigint) returns uuid language sql immutable as $$
    select md5(kind || n::text)::uuid
$$;

-- A pseudo-random number in [0, 1) for n; each use has a different salt.
create function pg_temp.r(n bigint, salt bigint) returns double precision language sql immutable as $$
    select (hashint8extended(n, salt) & 2147483647) / 2147483648.0::double precision
$$;

create function pg_temp.pick(choices text[], n bigint, salt bigint) returns text language sql immutable as $$
    select choices[1 + floor(pg_temp.r(n, salt) * array_length(choices, 1))::int]
$$;

-- step: drop constraints and indexes
create temporary table dropped_objects on commit drop as
select
    conrelid::regclass::text as table_name,
    conname::text as object_name,
    case contype when 'f' then 3 else 1 end as place,
    format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as restore
from pg_constraint
where connamespace = current_schema()::regnamespace and contype in ('p', 'u', 'f')
union all
select
    tablename,
    indexname,
    2,
    indexdef
from pg_indexes
where
    schemaname = current_schema()
    and indexname not in (select conname from pg_constraint where connamespace = current_schema()::regnamespace);

do $$
declare
    dropped record;
begin
    for dropped in select * from dropped_objects order by place desc, object_name loop
        if dropped.place = 2 then
            execute format('drop index %I', dropped.object_name);
        else
            execute format('alter table %s drop constraint %I', dropped.table_name, dropped.object_name);
        end if;
    end loop;
end
$$;

-- step: organizations and people
insert into organizations (id, slug, display_name, timezone, created_at, updated_at)
select
    pg_temp.id('organization', n),
    'organization-' || n,
    'Organization ' || n,
    pg_temp.pick(array['UTC', 'Europe/Zurich', 'America/Toronto', 'Asia/Tokyo'], n, 1),
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations) as n;

insert into organization_profiles (id, organization_id, profile_code, created_at, updated_at)
select
    pg_temp.id('profile', n),
    pg_temp.id('organization', n),
    pg_temp.pick(array['hospital', 'retail_chain', 'friend_group', 'advocacy_group', 'environmental_group'], n, 2),
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations) as n;

-- User and person m belong to organization 1 + (m - 1) % organizations.
insert into user_accounts (id, organization_id, email, display_name, created_at, updated_at)
select
    pg_temp.id('user', m),
    pg_temp.id('organization', 1 + (m - 1) % organizations),
    'user-' || m || '@example.invalid',
    'User ' || m,
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations * users_each) as m;

insert into person_profiles (
    id, organization_id, linked_user_id, external_reference, full_name, confidentiality_level, created_at, updated_at
)
select
    pg_temp.id('person', m),
    pg_temp.id('organization', 1 + (m - 1) % organizations),
    case when m <= organizations * users_each then pg_temp.id('user', m) end,
    'reference-' || m,
    'Person ' || m,
    (
        case
            when pg_temp.r(m, 3) < 0.9 then 'normal'
            when pg_temp.r(m, 3) < 0.97 then 'sensitive'
            else 'highly_sensitive'
        end
    )::confidentiality_level,
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations * persons_each) as m;

insert into roles (id, organization_id, code, display_name, created_at, updated_at)
select
    pg_temp.id('role', 5 * organization + k),
    pg_temp.id('organization', organization),
    'role_' || k,
    'Role ' || k,
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations) as organization, generate_series(1, 5) as k;

insert into label_definitions (id, organization_id, code, display_name, category, created_at, updated_at)
select
    pg_temp.id('label', n),
    case when n > 5 then pg_temp.id('organization', n - 5) end,
    'label.' || n,
    'Label ' || n,
    case when n % 3 = 0 then 'risk' else 'topic' end,
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, organizations + 5) as n;

insert into learning_groups (id, organization_id, code, name, category, created_at, updated_at)
select
    pg_temp.id('group', n),
    pg_temp.id('organization', 1 + (n - 1) % organizations),
    'group-' || n,
    'Group ' || n,
    'course',
    as_of - interval '800 days',
    as_of - interval '800 days'
from scale, generate_series(1, 3 * organizations) as n;

insert into learning_group_memberships (id, learning_group_id, person_id, role, joined_at, created_at, updated_at)
select
    pg_temp.id('membership', m),
    pg_temp.id('group', 1 + (m - 1) % organizations + organizations * floor(3 * pg_temp.r(m, 4))::bigint),
    pg_temp.id('person', m),
    'learner',
    as_of - interval '700 days' * pg_temp.r(m, 5),
    as_of - interval '700 days' * pg_temp.r(m, 5),
    as_of - interval '700 days' * pg_temp.r(m, 5)
from scale, generate_series(1, organizations * persons_each, 2) as m;

-- step: plan tasks
-- The even ones of ten consecutive tasks share a case; the odd ones have none.
-- Nine of ten tasks are closed; the tenth is escalated, on hold, in progress or pending.
create temporary table plan on commit drop as
with numbered as (
    select
        n,
        as_of,
        organizations,
        persons_each,
        users_each,
        case when n % 2 = 0 then (n + 9) / 10 end as case_n,
        as_of - interval '700 days' + pace * (n - pg_temp.r(n, 6)) as created_at
    from scale, generate_series(1, tasks) as n
    offset 0
),

placed as (
    select
        *,
        1 + floor(organizations * pg_temp.r(coalesce(case_n, -n), 7) ^ 2)::bigint as organization_n,
        as_of - created_at as remaining
    from numbered
    offset 0
)

select
    n,
    case_n,
    organization_n,
    pg_temp.id('task', n) as task_id,
    pg_temp.id('organization', organization_n) as organization_id,
    pg_temp.id('user', organization_n + organizations * floor(users_each * pg_temp.r(n, 8))::bigint) as creator_id,
    pg_temp.id('user', organization_n + organizations * floor(users_each * pg_temp.r(n, 9))::bigint) as worker_id,
    pg_temp.id('person', organization_n + organizations * floor(persons_each * pg_temp.r(n, 10))::bigint) as person_id,
    pg_temp.id('role', 5 * organization_n + 1 + floor(5 * pg_temp.r(n, 11))::bigint) as role_id,
    n % 4 < 2 as is_commented,
    (
        case
            when n % 10 <> 0 then pg_temp.pick('{COMPLETED,COMPLETED,COMPLETED,COMPLETED,CANCELLED,FAILED}', n, 12)
            when n % 50 = 10 then 'IN_PROGRESS'
            when n % 50 = 20 then 'PENDING'
            when n % 50 = 30 then 'ON_HOLD'
            else 'ESCALATED'
        end
    )::task_status as status,
    created_at,
    created_at + least(interval '1 day' * pg_temp.r(n, 13) ^ 3, remaining / 5) as answered_at,
    created_at + least(interval '1 day' + interval '3 days' * pg_temp.r(n, 14) ^ 3, 2 * remaining / 5) as started_at,
    created_at + least(interval '4 days' + interval '20 days' * pg_temp.r(n, 15) ^ 3, 3 * remaining / 5) as ended_at
from placed;

-- step: cases
insert into cases (
    id, organization_id, source_type, source_reference, label, title, status, severity, reactivity_time,
    origin_vertical_level, origin_role, tags, location, metadata, created_at, updated_at
)
select
    pg_temp.id('case', case_n),
    organization_id,
    pg_temp.pick('{email,api,manual,sync}', case_n, 20)::task_source,
    'thread-' || case_n,
    base || '.' || pg_temp.pick('{91.Operations.Safety,41.Customer.Service,52.HR.Support,81.Technical.IT,32}', case_n, 22),
    'Case ' || case_n,
    (case when is_closed then 'resolved' else 'in_progress' end)::case_status,
    pg_temp.pick('{MINOR,MINOR,MINOR,MODERATE,MODERATE,MAJOR,CRITICAL}', case_n, 23)::task_severity,
    interval '2 days',
    base::int,
    'Operations',
    array['benchmark'],
    jsonb_build_object('site', floor(20 * pg_temp.r(case_n, 24)), 'room', 'R1'),
    case when case_n % 4 = 0 then '{"visibility": "RESTRICTED"}' else '{}' end::jsonb,
    created_at,
    updated_at
from (
    select
        case_n,
        organization_id,
        pg_temp.pick('{1001,1001,1001,101,101,11,2}', case_n, 21) as base,
        min(created_at) as created_at,
        max(ended_at) as updated_at,
        bool_and(status in ('COMPLETED', 'CANCELLED', 'FAILED')) as is_closed
    from plan
    where case_n is not null
    group by case_n, organization_id
) as by_case;

-- step: tasks
insert into tasks (
    id, organization_id, case_id, type, category, subtype, label, title, status, priority, severity, visibility, source,
    created_by_user_id, requester_person_id, owner_role_id, owner_user_id, assignee_role, reactivity_time,
    reactivity_deadline_at, due_at, escalation_level, closed_at, metadata, created_at, updated_at
)
select
    task_id,
    organization_id,
    case when case_n is not null then pg_temp.id('case', case_n) end,
    pg_temp.pick('{maintenance,it_support,hr_case,education_support,generic}', n, 30),
    pg_temp.pick('{request,request,incident,update,report,distribution}', n, 31)::task_category,
    pg_temp.pick('{first_line,second_line,NULL}', n, 32),
    pg_temp.pick('{1001,1001,1001,101,101,11,2,100}', n, 33) || '.'
    || pg_temp.pick('{91.Operations.Safety,41.Customer.Service,52.HR.Support,81.Technical.IT,32}', n, 34),
    'Task ' || n,
    status,
    pg_temp.pick('{LOW,MEDIUM,MEDIUM,HIGH,CRITICAL}', n, 35)::task_priority,
    pg_temp.pick('{MINOR,MINOR,MINOR,MODERATE,MODERATE,MAJOR,CRITICAL}', n, 36)::task_severity,
    pg_temp.pick('{PUBLIC,INTERNAL,INTERNAL,INTERNAL,RESTRICTED,ANONYMISED}', n, 37)::visibility,
    pg_temp.pick('{email,api,manual,sync}', n, 38)::task_source,
    creator_id,
    person_id,
    role_id,
    case when not is_commented then worker_id end,
    'role_' || (n % 5 + 1),
    interval '1 day',
    created_at + interval '1 day',
    case when n % 3 = 0 then created_at + interval '10 days' end,
    (status = 'ESCALATED')::int,
    case when status in ('COMPLETED', 'CANCELLED', 'FAILED') then ended_at end,
    '{"channel": "benchmark"}',
    created_at,
    ended_at
from plan;

-- step: comments and assignments
insert into task_comments (id, task_id, author_user_id, body, created_at, updated_at)
select
    pg_temp.id('comment', n),
    task_id,
    worker_id,
    'Comment on task ' || n,
    answered_at,
    answered_at
from plan
where is_commented;

insert into task_assignments (id, task_id, assigned_role_id, assigned_user_id, assigned_at, created_at, updated_at)
select
    pg_temp.id('assignment', n),
    task_id,
    role_id,
    worker_id,
    answered_at,
    answered_at,
    answered_at
from plan
where not is_commented;

-- step: events
-- Four per task: creation, first response (a comment or an owner), start of work, and end or reason for staying open.
-- The casts are inside VALUES, so that constants are cast once.
insert into task_events (id, task_id, organization_id, event_type, old_value, new_value, actor_user_id, origin, created_at)
select
    pg_temp.id('event' || k || '-', n),
    task_id,
    organization_id,
    event_type,
    old_value,
    new_value,
    actor_id,
    'ui',
    happened_at
from plan, lateral (
    values
    (1, 'created'::task_event_type, null::jsonb, '{"status": "PENDING"}'::jsonb, creator_id, created_at),
    (
        2,
        case when is_commented then 'comment_added'::task_event_type else 'ownership_changed' end,
        null,
        case
            when is_commented then jsonb_build_object('comment_id', pg_temp.id('comment', n))
            else jsonb_build_object('owner_user_id', worker_id)
        end,
        worker_id,
        answered_at
    ),
    (
        3,
        case when status = 'PENDING' then 'deadline_updated'::task_event_type else 'status_changed' end,
        case when status = 'PENDING' then '{"due_at": null}'::jsonb else '{"status": "PENDING"}' end,
        case when status = 'PENDING' then '{"due_at": "2030-01-01"}'::jsonb else '{"status": "IN_PROGRESS"}' end,
        worker_id,
        started_at
    ),
    (
        4,
        case
            when status = 'ESCALATED' then 'escalated'::task_event_type
            when status in ('IN_PROGRESS', 'PENDING') then 'metadata_updated'
            else 'status_changed'
        end,
        case when status not in ('IN_PROGRESS', 'PENDING') then '{"status": "IN_PROGRESS"}'::jsonb end,
        jsonb_build_object('status', status),
        worker_id,
        ended_at
    )
) as event (k, event_type, old_value, new_value, actor_id, happened_at);

-- step: check-ins and labels
insert into wellbeing_checkins (id, organization_id, person_id, context, score, tags, created_at, updated_at)
select
    pg_temp.id('checkin', n),
    organization_id,
    case when n % 7 <> 0 then person_id end,
    case when n % 60 = 0 then 'group-' || organization_n else 'weekly' end,
    1 + floor(10 * pg_temp.r(n, 40))::int,
    array['benchmark'],
    created_at,
    created_at
from plan
where n % 20 = 0;

insert into entity_labels (id, organization_id, label_id, entity_type, entity_id, applied_at, created_at, updated_at)
select
    pg_temp.id('entity label', n),
    organization_id,
    pg_temp.id('label', case when n % 20 = 0 then 5 + organization_n else 1 + n / 10 % 5 end),
    'task',
    task_id,
    created_at,
    created_at,
    created_at
from plan
where n % 10 = 0;

-- step: restore constraints and indexes
do $$
declare
    dropped record;
begin
    for dropped in select * from dropped_objects order by place, object_name loop
        execute dropped.restore;
    end loop;
end
$$;
