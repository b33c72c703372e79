"""Map values of the log to values of Orgo, in temporary SQL functions (docs/incident-import.md).

The functions take text and return NULL for unknown values; those that return text return tokens of the source
contract (section 1).
"""

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

ORGANIZATION_SLUG = "incident-log"
PROFILE_CODE = "default"
TASK_TYPE = "it_incident"
STAFF, TEAM_LEAD = 1001, 101  # label bases of the source contract's section 3
LABEL_CODE = "81"  # technical, request
DEFAULT_ROLE = "IT"

# Ids are version 3 UUIDs (RFC 4122) of this namespace and "kind:key", so every import produces the same ids.
NAMESPACE = "1f0f4a4e-6d0c-4c53-9c3b-5d1f7c0f2a86"

_UUID = sql.SQL(
    """
create or replace function pg_temp.incident_uuid(kind text, key text) returns uuid language sql stable as $$
    select overlay(
        overlay(md5({namespace}::bytea || convert_to(kind || ':' || key, 'UTF8')) placing '3' from 13)
        placing translate(
            substr(md5({namespace}::bytea || convert_to(kind || ':' || key, 'UTF8')), 17, 1),
            '0123456789abcdef',
            '89ab89ab89ab89ab'
        )
        from 17
    )::uuid
$$
"""
)

_FUNCTIONS = (
    # The pattern rejects what to_timestamp would tolerate, the second condition days that the month does not have.
    r"""
create or replace function pg_temp.incident_moment(value text) returns timestamptz language sql stable as $$
    select case
        when value ~ '^(0?[1-9]|[12]\d|3[01])/(0?[1-9]|1[012])/[12]\d{3} ([01]?\d|2[0-3]):[0-5]\d$'
            and (
                split_part(value, '/', 1)::int <= 28
                or split_part(value, '/', 1)::int <= extract(
                    day from make_date(left(split_part(value, '/', 3), 4)::int, split_part(value, '/', 2)::int, 1)
                    + interval '1 month - 1 day'
                )
            )
            then to_timestamp(value, 'DD/MM/YYYY HH24:MI')
    end
$$
""",
    r"""
create or replace function pg_temp.incident_moment_month_first(value text) returns timestamptz
language sql stable as $$
    select pg_temp.incident_moment(regexp_replace(value, '^(\d+)/(\d+)/', '\2/\1/'))
$$
""",
    r"""
create or replace function pg_temp.incident_count(value text) returns int language sql immutable as $$
    select case when value ~ '^\d{1,9}$' then value::int end
$$
""",
    """
create or replace function pg_temp.incident_status(state text) returns text language sql immutable as $$
    select case
        when state = 'New' then 'PENDING'
        when state in ('Active', 'Resolved') then 'IN_PROGRESS'
        when state like 'Awaiting _%' then 'ON_HOLD'
        when state = 'Closed' then 'COMPLETED'
    end
$$
""",
    """
create or replace function pg_temp.incident_priority(priority text) returns text language sql immutable as $$
    select case left(priority, 1)
        when '1' then 'CRITICAL'
        when '2' then 'HIGH'
        when '4' then 'LOW'
        when '5' then 'LOW'
        else 'MEDIUM'
    end
$$
""",
    """
create or replace function pg_temp.incident_severity(impact text, priority text) returns text
language sql immutable as $$
    select case
        when left(priority, 1) = '1' then 'CRITICAL'
        when left(impact, 1) = '1' then 'MAJOR'
        when left(impact, 1) = '2' then 'MODERATE'
        else 'MINOR'
    end
$$
""",
    """
create or replace function pg_temp.incident_source(contact_type text) returns text language sql immutable as $$
    select case
        when contact_type in ('Phone', 'Direct opening') then 'manual'
        when contact_type = 'Email' then 'email'
        when contact_type in ('Self service', 'IVR') then 'api'
        else 'sync'
    end
$$
""",
    # 'Opened by  8' and 'Opened by 8' are the same account.
    r"""
create or replace function pg_temp.incident_name(token text) returns text language sql immutable as $$
    select regexp_replace(token, '\s+', ' ', 'g')
$$
""",
    # A hash keeps addresses unique when names differ only in characters that an address cannot contain.
    """
create or replace function pg_temp.incident_email(name text) returns text language sql immutable as $$
    select trim('-' from regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g'))
        || case when name ~ '^[A-Za-z0-9 ]+$' then '' else '-' || left(md5(name), 8) end
        || '@incident-log.invalid'
$$
""",
)

# A team lead handles incidents of high impact.
_LEVEL = sql.SQL(
    """
create or replace function pg_temp.incident_level(impact text) returns int language sql immutable as $$
    select case when left(impact, 1) = '1' then {team_lead} else {staff} end
$$
"""
)

_LABEL = sql.SQL(
    """
create or replace function pg_temp.incident_label(impact text, assignment_group text) returns text
language sql immutable as $$
    select pg_temp.incident_level(impact) || {stem} || coalesce('.' || nullif(
        trim('-' from regexp_replace(assignment_group, '[^[:alnum:]]+', '-', 'g')), ''
    ), '')
$$
"""
)

# Merges the changes of an incident's events in order, which restores the incident's state after each event.
_OVERLAY = """
create or replace aggregate pg_temp.incident_overlay(jsonb) (sfunc = jsonb_concat, stype = jsonb, initcond = '{}')
"""


def create_functions(cursor: Cursor[TupleRow]) -> None:
    """Create the functions of this module in the session's temporary schema."""
    cursor.execute(_UUID.format(namespace=sql.Literal("\\x" + NAMESPACE.replace("-", ""))))
    for function in _FUNCTIONS:
        cursor.execute(function)
    cursor.execute(_LEVEL.format(team_lead=sql.Literal(TEAM_LEAD), staff=sql.Literal(STAFF)))
    cursor.execute(_LABEL.format(stem=sql.Literal(f".{LABEL_CODE}.{DEFAULT_ROLE}")))
    cursor.execute(_OVERLAY)
