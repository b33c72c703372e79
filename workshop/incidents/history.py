"""Combine the rows of the file with those of earlier imports into each incident's history, one event per row.

An event's new_value holds the task's columns that changed, and under `incident` the log's columns that changed. The
rows of earlier imports can therefore be restored from the events, so snapshots can be imported in any order.
"""

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.columns import HISTORY

_EARLIER_ROWS = sql.SQL(
    """
with incomplete as (
    select distinct task_id
    from {task_events} as events
    where task_id in (select task_id from incident_rows)
        and new_value::jsonb ? 'incident'
        and not exists (select from incident_rows where incident_rows.event_id = events.id)
),

stored as (
    select
        id,
        task_id,
        created_at,
        pg_temp.incident_overlay(new_value::jsonb -> 'incident') over (
            partition by task_id
            order by created_at, (new_value::jsonb -> 'incident' ->> 'sys_mod_count')::int
        ) as content
    from {task_events}
    where task_id in (select task_id from incomplete)
        and new_value::jsonb ? 'incident'
)

insert into incident_rows (
    event_id, task_id, number, sys_updated_at, opened_at, closed_at, closed_code, resolved_by, resolved_at, {history}
)
select
    stored.id,
    stored.task_id,
    tasks.metadata::jsonb ->> 'number',
    stored.created_at,
    tasks.created_at,
    tasks.closed_at,
    tasks.metadata::jsonb ->> 'closed_code',
    tasks.metadata::jsonb ->> 'resolved_by',
    (tasks.metadata::jsonb ->> 'resolved_at')::timestamptz,
    {restored}
from stored
inner join {tasks} as tasks on tasks.id = stored.task_id
cross join lateral jsonb_populate_record(null::pg_temp.incident_rows, stored.content) as restored
where not exists (select from incident_rows where incident_rows.event_id = stored.id)
"""
)

_STEPS = sql.SQL(
    """
create temporary table incident_steps on commit drop as
select
    line,
    event_id as id,
    task_id,
    (select id from incident_organization) as organization_id,
    case
        when row_number() over history = 1 then 'created'
        when status is distinct from lag(status) over history then 'status_changed'
        when {ownership} then 'ownership_changed'
        when priority is distinct from lag(priority) over history then 'priority_changed'
        else 'metadata_updated'
    end as event_type,
    case when row_number() over history > 1 then nullif({before}, '{{}}')::jsonb end as old_value,
    {after}::jsonb as new_value,
    actor_user_id,
    'ui' as origin,
    sys_updated_at as created_at
from (
    select
        incident_rows.line,
        incident_rows.event_id,
        incident_rows.task_id,
        incident_rows.sys_updated_at,
        pg_temp.incident_status(incident_rows.incident_state) as status,
        pg_temp.incident_priority(incident_rows.priority) as priority,
        pg_temp.incident_severity(incident_rows.impact, incident_rows.priority) as severity,
        groups.id as owner_role_id,
        owners.id as owner_user_id,
        coalesce(updaters.id, resolvers.id) as actor_user_id,
        {logged}
    from incident_rows
    left join incident_names as groups on groups.kind = 'role' and groups.token = incident_rows.assignment_group
    left join incident_names as owners on owners.kind = 'user' and owners.token = incident_rows.assigned_to
    left join incident_names as updaters on updaters.kind = 'user' and updaters.token = incident_rows.sys_updated_by
    left join incident_names as resolvers
        on resolvers.kind = 'user'
        and resolvers.token = incident_rows.resolved_by
        and incident_rows.incident_state = 'Resolved'
) as rows
window history as (partition by task_id order by sys_updated_at, log_sys_mod_count)
"""
)

# Events of the file's rows, and events of earlier imports: a new row changes the event of the row that follows it.
_VIEWS = (
    "create temporary view incident_file_events as {} where line is not null",
    "create temporary view incident_earlier_events as {} where line is null",
)
_EVENT = (
    "select id, task_id, organization_id, event_type, old_value, new_value, actor_user_id, origin, created_at"
    " from incident_steps"
)

TASK_COLUMNS = ("status", "priority", "severity", "owner_role_id", "owner_user_id")


def add_earlier_rows(cursor: Cursor[TupleRow], schema: str) -> None:
    """Add to incident_rows, without a line, the rows of earlier imports into a schema that are not in the file."""
    names = [sql.Identifier(column) for column in HISTORY]
    cursor.execute(
        _EARLIER_ROWS.format(
            history=sql.SQL(", ").join(names),
            tasks=sql.Identifier(schema, "tasks"),
            task_events=sql.Identifier(schema, "task_events"),
            restored=sql.SQL(", ").join(sql.SQL("restored.{}").format(name) for name in names),
        )
    )


def stage_events(cursor: Cursor[TupleRow]) -> None:
    """Create incident_steps with one event per incident row, and separate views of the new and the earlier events."""
    log = {column: sql.Identifier(f"log_{column}") for column in HISTORY}
    task = {column: sql.Identifier(column) for column in TASK_COLUMNS}
    cursor.execute(
        _STEPS.format(
            ownership=sql.SQL(" or ").join(_changed(log[column]) for column in ("assignment_group", "assigned_to")),
            before=_object([_pair(name, _lag(column), _changed(column)) for name, column in task.items()]),
            after=_object([*(_pair(name, column, _changed(column)) for name, column in task.items()), _incident(log)]),
            logged=sql.SQL(", ").join(
                sql.SQL("incident_rows.{} as {}").format(sql.Identifier(name), column) for name, column in log.items()
            ),
        )
    )
    for view in _VIEWS:
        cursor.execute(sql.SQL(view).format(sql.SQL(_EVENT)))


def _incident(log: dict[str, sql.Identifier]) -> sql.Composed:
    """Compose the JSON of the log's columns that changed.

    It always includes sys_mod_count, which orders the events of one minute.
    """
    conditions: dict[str, sql.Composable] = {name: _changed(column) for name, column in log.items()}
    conditions["sys_mod_count"] = sql.SQL("true")
    pairs = [_pair(name, column, conditions[name]) for name, column in log.items()]
    return sql.SQL("""'"incident": ' || {}""").format(_object(pairs))


def _object(pairs: list[sql.Composed]) -> sql.Composed:
    """Compose a JSON object as text, five times as fast as jsonb functions on mostly unchanged columns."""
    return sql.SQL("""('{{' || concat_ws(', ', {}) || '}}')""").format(sql.SQL(", ").join(pairs))


def _pair(name: str, value: sql.Composable, condition: sql.Composable) -> sql.Composed:
    return sql.SQL("case when {} then {} || coalesce(to_json({})::text, 'null') end").format(
        condition, sql.Literal(f'"{name}": '), value
    )


def _changed(column: sql.Identifier) -> sql.Composed:
    return sql.SQL("{} is distinct from {}").format(column, _lag(column))


def _lag(column: sql.Identifier) -> sql.Composed:
    return sql.SQL("lag({}) over history").format(column)
