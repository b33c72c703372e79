"""Stage the rows for the operational tables in temporary tables with the same columns."""

import json

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.mapping import (
    DEFAULT_ROLE,
    ORGANIZATION_SLUG,
    PROFILE_CODE,
    TASK_TYPE,
)

# created_at is the first opened_at, because an import must not depend on the day it runs.
_ORGANIZATION = sql.SQL(
    """
create temporary table incident_organization on commit drop as
select
    coalesce(
        (select id from {organizations} where slug = {slug}), pg_temp.incident_uuid('organization', {slug})
    ) as id,
    {slug} as slug,
    'Incident log' as display_name,
    'active' as status,
    'UTC' as timezone,
    'en' as default_locale,
    min(opened_at) as created_at,
    min(opened_at) as updated_at
from incident_rows
having count(*) > 0
"""
)

_PROFILE = sql.SQL(
    """
create temporary table incident_profile on commit drop as
select
    coalesce(
        (select id from {profiles} where organization_id = incident_organization.id),
        pg_temp.incident_uuid('organization_profile', slug)
    ) as id,
    id as organization_id,
    {code} as profile_code,
    created_at,
    updated_at
from incident_organization
"""
)

_NAMES = """
create temporary table incident_names on commit drop as
select
    kind,
    token,
    pg_temp.incident_name(token) as name,
    pg_temp.incident_uuid(kind, pg_temp.incident_name(token)) as id,
    min(opened_at) as created_at
from (
    select distinct names.kind, names.token, incident_rows.opened_at
    from incident_rows
    cross join lateral (
        values
            ('user', opened_by), ('user', assigned_to), ('user', resolved_by), ('user', sys_updated_by),
            ('person', caller_id), ('role', assignment_group)
    ) as names (kind, token)
    where names.token is not null
) as names
group by kind, token
"""

_ROWS_OF_KIND = sql.SQL(
    """
create temporary table {relation} on commit drop as
select
    id,
    (select id from incident_organization) as organization_id,
    {names},
    min(created_at) as created_at,
    min(created_at) as updated_at
from incident_names
where kind = {kind}
group by id, name
"""
)

# The staged relation for each kind of name, and the columns that hold the name.
_KINDS = {
    "user": ("incident_users", sql.SQL("pg_temp.incident_email(name) as email, name as display_name")),
    "person": ("incident_persons", sql.SQL("name as external_reference, name as full_name")),
    "role": ("incident_roles", sql.SQL("name as code, name as display_name")),
}

# The last row of every incident. An existing case stays, even if a later snapshot has lower counts.
_FINALS = sql.SQL(
    """
create temporary table incident_finals on commit drop as
with last_events as (
    select distinct on (task_id) task_id, event_id
    from incident_rows
    order by task_id, sys_updated_at desc, sys_mod_count desc
),

last_rows as (
    select
        incident_rows.*,
        pg_temp.incident_status(incident_state) as status,
        pg_temp.incident_uuid('case', number) as possible_case_id
    from last_events
    inner join incident_rows on incident_rows.event_id = last_events.event_id
),

counts as (
    select task_id, max(reopen_count) as reopened, max(reassignment_count) as reassigned
    from incident_rows
    group by task_id
)

select
    last_rows.*,
    pg_temp.incident_label(impact, pg_temp.incident_name(assignment_group)) as label,
    pg_temp.incident_level(impact) as level,
    concat_ws(' ', number, category) as title,
    pg_temp.incident_severity(impact, priority) as task_severity,
    pg_temp.incident_source(contact_type) as source,
    case
        when counts.reopened >= 1 or counts.reassigned >= 3 or cases.id is not null then last_rows.possible_case_id
    end as case_id,
    case when last_rows.status = 'COMPLETED' then coalesce(closed_at, sys_updated_at) end as task_closed_at
from last_rows
inner join counts on counts.task_id = last_rows.task_id
left join {cases} as cases on cases.id = last_rows.possible_case_id
"""
)

_CASES = sql.SQL(
    """
create temporary table incident_cases on commit drop as
select
    case_id as id,
    (select id from incident_organization) as organization_id,
    source as source_type,
    number as source_reference,
    label,
    title,
    case when status = 'COMPLETED' then 'resolved' else 'in_progress' end as status,
    task_severity as severity,
    level as origin_vertical_level,
    coalesce(pg_temp.incident_name(assignment_group), {role}) as origin_role,
    jsonb_strip_nulls(jsonb_build_object('site', location)) as location,
    {metadata}::jsonb as metadata,
    opened_at as created_at,
    coalesce(task_closed_at, sys_updated_at) as updated_at
from incident_finals
where case_id is not null
"""
)

_TASKS = sql.SQL(
    """
create temporary table incident_tasks on commit drop as
select
    task_id as id,
    (select id from incident_organization) as organization_id,
    case_id,
    {type} as type,
    'incident' as category,
    nullif(concat_ws('/', category, subcategory), '') as subtype,
    label,
    title,
    status,
    pg_temp.incident_priority(priority) as priority,
    task_severity as severity,
    'INTERNAL' as visibility,
    source,
    openers.id as created_by_user_id,
    callers.id as requester_person_id,
    groups.id as owner_role_id,
    owners.id as owner_user_id,
    groups.name as assignee_role,
    task_closed_at as closed_at,
    jsonb_strip_nulls(jsonb_build_object(
        'origin', {slug},
        'number', number,
        'location', location,
        'category', incident_finals.category,
        'subcategory', subcategory,
        'symptom', u_symptom,
        'made_sla', case lower(made_sla) when 'true' then true when 'false' then false end,
        'closed_code', closed_code,
        'resolved_by', resolved_by,
        'resolved_at', resolved_at
    )) as metadata,
    opened_at as created_at,
    greatest(sys_updated_at, task_closed_at) as updated_at
from incident_finals
left join incident_names as openers on openers.kind = 'user' and openers.token = opened_by
left join incident_names as callers on callers.kind = 'person' and callers.token = caller_id
left join incident_names as groups on groups.kind = 'role' and groups.token = assignment_group
left join incident_names as owners on owners.kind = 'user' and owners.token = assigned_to
"""
)


def stage_names(cursor: Cursor[TupleRow], schema: str) -> None:
    """Stage the organization, its profile, users, persons and roles from incident_rows, for tables of a schema."""
    cursor.execute(
        _ORGANIZATION.format(slug=sql.Literal(ORGANIZATION_SLUG), organizations=sql.Identifier(schema, "organizations"))
    )
    cursor.execute(
        _PROFILE.format(code=sql.Literal(PROFILE_CODE), profiles=sql.Identifier(schema, "organization_profiles"))
    )
    cursor.execute(_NAMES)
    cursor.execute("analyze incident_names")
    for kind, (relation, names) in _KINDS.items():
        cursor.execute(_ROWS_OF_KIND.format(relation=sql.Identifier(relation), names=names, kind=sql.Literal(kind)))


def stage_work(cursor: Cursor[TupleRow], schema: str) -> None:
    """Stage cases and tasks from incident_rows, for tables of a schema; the names must be staged first."""
    cursor.execute(_FINALS.format(cases=sql.Identifier(schema, "cases")))
    metadata = json.dumps({"origin": ORGANIZATION_SLUG})
    cursor.execute(_CASES.format(role=sql.Literal(DEFAULT_ROLE), metadata=sql.Literal(metadata)))
    cursor.execute(_TASKS.format(type=sql.Literal(TASK_TYPE), slug=sql.Literal(ORGANIZATION_SLUG)))
