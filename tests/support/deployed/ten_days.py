"""Ten days in the life of a database, as SQL that deployed tables and those of the contract both accept."""

from __future__ import annotations

from datetime import date, timedelta

from workshop.sample.load import SAMPLE_AS_OF

DAYS = tuple(SAMPLE_AS_OF + timedelta(days=number) for number in range(10))

# Every day, in the hospital: two similar cases with a task each, work on old tasks, a member and what is deleted.
_DAY = """
create temporary table hospital on commit drop as
select id from organizations where slug = 'sample-hospital';

insert into cases (
    id, organization_id, source_type, label, title, description, status, severity, origin_vertical_level, origin_role,
    location, metadata, created_at, updated_at
)
select
    md5('case {day} ' || number)::uuid, id, 'email', '1001.12.Facilities', 'Wet floor', '', 'open', 'MAJOR', 1001,
    'Facilities', '{{"site": "lobby"}}', '{{}}', timestamptz '{day} 08:00+00', timestamptz '{day} 08:00+00'
from hospital cross join generate_series(1, 2) as number;

insert into tasks (
    id, organization_id, case_id, type, category, label, title, description, status, priority, severity, visibility,
    source, requester_person_id, escalation_level, metadata, created_at, updated_at
)
select
    md5('task {day} ' || number)::uuid, id, md5('case {day} ' || number)::uuid, 'maintenance', 'incident',
    '1001.12.Facilities', 'Dry the floor', '', 'PENDING', 'HIGH', 'MAJOR', 'INTERNAL', 'email',
    (select min(p.id::text)::uuid from person_profiles as p where p.organization_id = hospital.id), 0, '{{}}',
    timestamptz '{day} 08:00+00', timestamptz '{day} 08:00+00'
from hospital cross join generate_series(1, 2) as number;

create temporary table worked_on on commit drop as
select id, organization_id, row_number() over (order by id) as number
from tasks
where status in ('PENDING', 'IN_PROGRESS') and closed_at is null and created_at < '{day}'
order by id
limit 12;

insert into task_events (id, task_id, organization_id, event_type, old_value, new_value, origin, created_at)
select
    md5('event {day} ' || id)::uuid, id, organization_id,
    cast(case when number <= 8 then 'status_changed' else 'escalated' end as {event_type}),
    '{{"status": "IN_PROGRESS"}}', '{{"status": "COMPLETED"}}', 'ui', timestamptz '{day} 10:00+00'
from worked_on;

update tasks set status = 'COMPLETED', closed_at = '{day} 10:00+00', updated_at = '{day} 10:00+00'
where id in (select id from worked_on where number <= 8);
update tasks set status = 'ESCALATED', escalation_level = 1, updated_at = '{day} 10:00+00'
where id in (select id from worked_on where number > 8);

insert into task_comments (id, task_id, visibility, body, created_at, updated_at)
select md5('comment {day} ' || id)::uuid, id, 'internal_only', 'Done.', '{day} 10:30+00', '{day} 10:30+00'
from worked_on where number > 4;

update person_profiles set confidentiality_level = 'sensitive', updated_at = '{day} 11:00+00'
where id = (select id from person_profiles where confidentiality_level = 'normal' order by md5('{day}' || id) limit 1);

insert into learning_group_memberships (id, learning_group_id, person_id, role, {joined_at} created_at, updated_at)
select
    md5('member {day}')::uuid, g.id, p.id, 'student', {moment} timestamptz '{day} 07:00+00',
    timestamptz '{day} 07:00+00'
from learning_groups as g
inner join person_profiles as p on g.organization_id = p.organization_id
where
    g.organization_id = (select id from hospital)
    and not exists (select from learning_group_memberships as m where m.person_id = p.id)
order by md5('{day}' || g.id || p.id)
limit 1;

insert into wellbeing_checkins (
    id, organization_id, person_id, context, score, tags, {related} created_at, updated_at
)
select
    md5('check-in {day}')::uuid, p.organization_id, p.id, {context}, 4, '{{tired}}', {related_to}
    timestamptz '{day} 12:00+00', timestamptz '{day} 12:00+00'
from learning_group_memberships as m
inner join person_profiles as p on m.person_id = p.id
inner join learning_groups as g on m.learning_group_id = g.id
where m.id = md5('member {day}')::uuid;

delete from tasks where id = (select id from tasks where created_at < '2025-12-01' order by md5('{day}' || id) limit 1);
delete from cases where id = (select id from cases where created_at < '2025-12-01' order by md5('{day}' || id) limit 1);
delete from user_accounts where id = (select id from user_accounts order by md5('{day}' || id) limit 1);
delete from learning_group_memberships
where id = (
    select id from learning_group_memberships where created_at < '2025-12-01' order by md5('{day}' || id) limit 1
);
"""

# The new member's check-in is about the day's first task: by its case in deployed databases, by its id in the contract.
_DEPLOYED = {
    "event_type": '"TaskEventType"',
    "joined_at": "",
    "moment": "",
    "related": "case_id,",
    "context": "to_jsonb(g.code)",
    "related_to": "(select t.case_id from tasks as t where t.id = md5('task {day} 1')::uuid),",
}
_CONTRACT = {
    "event_type": "task_event_type",
    "joined_at": "joined_at,",
    "moment": "timestamptz '{day} 07:00+00',",
    "related": "related_task_id,",
    "context": "g.code",
    "related_to": "md5('task {day} 1')::uuid,",
}


def day_of_life(day: date, *, deployed: bool) -> str:
    """Return the statements of what happens on a day, for the deployed tables or for those of the contract."""
    parts = {name: text.format(day=day) for name, text in (_DEPLOYED if deployed else _CONTRACT).items()}
    return _DAY.format(day=day, **parts)
