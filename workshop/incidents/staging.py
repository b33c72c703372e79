"""Load the file into temporary tables: every data row into `incident_raw`, parsed rows into `incident_rows`.

Unusable rows go to `incident_rejects` with the reason; identical repeats are only counted.
"""

import csv
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import islice
from operator import itemgetter

from psycopg import Copy, Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.columns import COLUMNS, COUNTS, MOMENTS, REQUIRED, DateFormat, expected
from workshop.incidents.source import IncidentLog, Record

CHUNK = 2_000  # rows in memory at a time
QUOTED_LENGTH = 200  # characters of a broken row that the report quotes

Row = tuple[int | str, ...]

_RAW = sql.SQL(
    """
create temporary table incident_raw (line bigint, reason text, value text, expected text, {columns}) on commit drop
"""
)

# `offset 0` keeps the planner from inlining the subqueries, which would parse a value again for every reference.
_ROWS = sql.SQL(
    """
create temporary table incident_rows on commit drop as
select
    line,
    fault,
    case when fault is null then pg_temp.incident_uuid('task', number) end as task_id,
    case
        when fault is null
            then pg_temp.incident_uuid(
                'task_event',
                number || ':' || sys_mod_count || ':' || to_char(sys_updated_at, 'YYYY-MM-DD"T"HH24:MI"Z"')
            )
    end as event_id,
    {columns}
from (
    select *, {fault} as fault
    from (
        select line, {unparsed}, {parsed}
        from (select line, {known} from incident_raw where reason is null offset 0) as known
        offset 0
    ) as parsed
    offset 0
) as checked
"""
)

_REJECTS = sql.SQL(
    """
create temporary table incident_rejects on commit drop as
select line, reason, value, expected from incident_raw where reason is not null
union all
select
    incident_rows.line,
    case
        when coalesce(to_jsonb(incident_raw) ->> fault, '?') = '?' then 'missing '
        when fault = 'incident_state' then 'unknown '
        else 'unparsable '
    end || fault,
    to_jsonb(incident_raw) ->> fault,
    {expected}::jsonb ->> fault
from incident_rows
inner join incident_raw on incident_raw.line = incident_rows.line
where fault is not null
"""
)

_REPEATS = sql.SQL(
    """
create temporary table incident_repeats on commit drop as
with firsts as (
    select event_id, min(line) as line from incident_rows where fault is null group by event_id having count(*) > 1
)
select repeated.line, firsts.line as first_line, ({repeated}) is not distinct from ({kept}) as identical
from firsts
inner join incident_rows as kept on kept.line = firsts.line
inner join incident_rows as repeated on repeated.event_id = firsts.event_id and repeated.line > firsts.line
"""
)

_REJECT_CONTRADICTIONS = """
insert into incident_rejects
select
    incident_repeats.line,
    format('repeats line %s with different content', first_line),
    concat_ws(', ', incident_raw.number, incident_raw.sys_mod_count, incident_raw.sys_updated_at),
    'one row for each number, sys_mod_count and sys_updated_at'
from incident_repeats
inner join incident_raw on incident_raw.line = incident_repeats.line
where not identical
"""

_KEEP_ACCEPTED = (
    "delete from incident_rows where fault is not null",
    "delete from incident_rows where line in (select line from incident_repeats)",
    "analyze incident_rows (task_id, event_id, number, sys_updated_at, sys_mod_count, caller_id, assignment_group)",
)


def copy_log(cursor: Cursor[TupleRow], log: IncidentLog, progress: Callable[[float], None]) -> None:
    """Stream `log` into the temporary table incident_raw; call `progress` with the share of the file that is read."""
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(column)) for column in COLUMNS)
    cursor.execute(_RAW.format(columns=columns))
    rows = _raw_rows(log)
    with cursor.copy("copy incident_raw from stdin (format csv)") as copy:
        while chunk := list(islice(rows, CHUNK)):
            _write(copy, chunk)
            progress(log.position / max(log.size, 1))


def check_rows(cursor: Cursor[TupleRow], dates: DateFormat) -> None:
    """Create incident_rows (accepted rows), incident_repeats and incident_rejects from incident_raw."""
    cursor.execute(_rows_statement(dates))
    faults = sql.SQL("jsonb_build_object({})").format(
        sql.SQL(", ").join(
            sql.Literal(text) for column in (*REQUIRED, *COUNTS, *MOMENTS) for text in (column, expected(column, dates))
        )
    )
    cursor.execute(_REJECTS.format(expected=faults))
    cursor.execute(_REPEATS.format(repeated=_list("repeated"), kept=_list("kept")))
    cursor.execute(_REJECT_CONTRADICTIONS)
    for statement in _KEEP_ACCEPTED:
        cursor.execute(statement)


def _rows_statement(dates: DateFormat) -> sql.Composed:
    moment = "incident_moment" if dates == "day-first" else "incident_moment_month_first"
    parsers = dict.fromkeys(MOMENTS, moment) | dict.fromkeys(COUNTS, "incident_count")
    named = {column: sql.Identifier(column) for column in COLUMNS}
    written = {column: sql.Identifier(f"written_{column}") for column in parsers}
    comma = sql.SQL(", ")
    return _ROWS.format(
        columns=comma.join(named.values()),
        fault=_fault(named, written),
        unparsed=comma.join(
            sql.SQL("{} as {}").format(name, written[column]) if column in parsers else name
            for column, name in named.items()
        ),
        parsed=comma.join(
            sql.SQL("pg_temp.{}({}) as {}").format(sql.Identifier(parser), named[column], named[column])
            for column, parser in parsers.items()
        ),
        known=comma.join(sql.SQL("nullif({}, '?') as {}").format(name, name) for name in named.values()),
    )


def _fault(named: dict[str, sql.Identifier], written: dict[str, sql.Identifier]) -> sql.Composed:
    """Compose the SQL that returns the first column whose value is missing or invalid."""
    faulty = {column: sql.SQL("{} is null").format(named[column]) for column in REQUIRED}
    faulty["incident_state"] = sql.SQL("pg_temp.incident_status({}) is null").format(named["incident_state"])
    for column, name in written.items():
        if column not in faulty:
            faulty[column] = sql.SQL("({} is null and {} is not null)").format(named[column], name)
    whens = (sql.SQL("when {} then {}").format(test, sql.Literal(column)) for column, test in faulty.items())
    return sql.SQL("case {} end").format(sql.SQL(" ").join(whens))


def _list(table: str) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table, column) for column in COLUMNS)


def _raw_rows(log: IncidentLog) -> Iterator[Row]:
    pick = itemgetter(*(log.header.index(column) for column in COLUMNS))
    width = len(log.header)
    for record in log.records():
        if not record.defect and len(record.fields) == width:
            yield (record.line, "", "", "", *map(str.strip, pick(record.fields)))
        else:
            yield _broken_row(record, width)


def _broken_row(record: Record, width: int) -> Row:
    reason = record.defect or f"{len(record.fields)} columns"
    value = ",".join(record.fields).replace("\0", "")[:QUOTED_LENGTH]
    return (record.line, reason, value, f"{width} columns separated by commas, as in the header", *("",) * len(COLUMNS))


def _write(copy: Copy, rows: list[Row]) -> None:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    copy.write(text.getvalue())
