"""Load the deterministic sample into an operational database (docs/sample.md)."""

import json
from dataclasses import asdict, dataclass

import psycopg
from psycopg import sql

from orchestration.errors import ConflictError, InsightsError
from orchestration.warehouse.translation import translating
from workshop.operational import create_operational_schema
from workshop.sample.cases import add_work
from workshop.sample.drift import DRIFT
from workshop.sample.edges import add_edges
from workshop.sample.people import add_people
from workshop.sample.rows import TABLES, Row, Rows, random_for
from workshop.sample.scenario import SAMPLE_AS_OF
from workshop.sample.signals import add_checkins, add_entity_labels
from workshop.sample.ugly import UGLY, spoil

__all__ = ["SAMPLE_AS_OF", "SampleSummary", "copy_rows", "load_sample"]

MARK = "Orgo Insights sample: "
SAMPLE_VERSION = 3  # increment it whenever the sample's rows change


@dataclass(frozen=True)
class SampleSummary:
    """The number of rows per operational table and per kind of ugly row (docs/sample.md)."""

    rows: dict[str, int]
    ugly: dict[str, int]


def load_sample(connection: psycopg.Connection) -> SampleSummary:
    """Create the operational schema (source contract, section 1), apply the drift and load the sample.

    Runs in one transaction, or a savepoint if the connection is in a transaction. The sample is the same in every
    database and ends at SAMPLE_AS_OF, which is the `as_of` for builds. Changes nothing if the sample is already
    loaded, even if rows were added since.

    Raises:
        ConflictError: the database contains other organizations, another version of the sample, or only part of it.

    """
    with connection.transaction():
        stored = _stored_summary(connection)
        if stored:
            _check_whole(connection, stored)
            return stored
        create_operational_schema(connection)
        _refuse_other_organizations(connection)
        _apply_drift(connection)
        rows = make_rows()
        for table in TABLES:
            copy_rows(connection, table, rows.tables[table])
        summary = SampleSummary({table: len(rows.tables[table]) for table in TABLES}, dict(UGLY))
        _store_summary(connection, summary)
        connection.execute(sql.SQL("analyze {}").format(sql.SQL(", ").join(map(sql.Identifier, TABLES))))
        return summary


def make_rows() -> Rows:
    """Return every row of the sample; each call returns the same rows."""
    rows = Rows()
    teams = add_people(rows)
    for team in teams:
        add_work(rows, team)
        add_checkins(rows, team)
        add_entity_labels(rows, team)
    rng = random_for("ugly")
    clean_tasks = spoil(rows, rng)
    add_edges(rows, teams, clean_tasks, rng)
    return rows


def _stored_summary(connection: psycopg.Connection) -> SampleSummary | None:
    """Return the summary that the load stored as the comment of the table organizations, None if there is none."""
    row = connection.execute("select obj_description(to_regclass('organizations'), 'pg_class')").fetchone()
    if not row or not row[0] or not row[0].startswith(MARK):
        return None
    stored = json.loads(row[0].removeprefix(MARK))
    if stored["version"] != SAMPLE_VERSION:
        raise ConflictError(
            f"The database contains version {stored['version']} of the sample instead of version {SAMPLE_VERSION}. "
            "Drop the database and load the sample again."
        )
    return SampleSummary(stored["rows"], stored["ugly"])


def _store_summary(connection: psycopg.Connection, summary: SampleSummary) -> None:
    comment = sql.Literal(MARK + json.dumps({"version": SAMPLE_VERSION, **asdict(summary)}))
    connection.execute(sql.SQL("comment on table organizations is {}").format(comment))


def _check_whole(connection: psycopg.Connection, stored: SampleSummary) -> None:
    for table, expected in stored.rows.items():
        row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
        found = row[0] if row else 0
        if found < expected:
            raise ConflictError(
                f"The sample is incomplete: table {table} has {found} rows instead of {expected}. "
                "Drop the database and load the sample again."
            )


def _refuse_other_organizations(connection: psycopg.Connection) -> None:
    slugs = [row[0] for row in connection.execute("select slug from organizations order by slug limit 5")]
    if slugs:
        raise ConflictError(
            f"The sample needs a database without organizations; this one contains {', '.join(slugs)}. "
            "Use an empty database."
        )


def _apply_drift(connection: psycopg.Connection) -> None:
    for drift in DRIFT:
        refused = f"The sample cannot change the operational schema: {drift.statement!r} failed: "
        with translating({InsightsError: refused + "{detail} Use an empty database."}):
            connection.execute(drift.statement.encode())


def copy_rows(connection: psycopg.Connection, table: str, rows: list[Row]) -> None:
    """Copy rows, which must all have the same columns, into an operational table. Raises psycopg.Error like COPY."""
    columns = list(rows[0])
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row([row[column] for column in columns])
