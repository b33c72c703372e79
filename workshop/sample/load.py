"""Load the deterministic sample of the demo into an operational database; docs/sample.md describes it."""

import json
from dataclasses import asdict, dataclass

import psycopg
from psycopg import sql

from orchestration.errors import InsightsError
from workshop.operational import create_operational_schema
from workshop.sample.cases import add_work
from workshop.sample.drift import DRIFT
from workshop.sample.edges import add_edges
from workshop.sample.people import add_people
from workshop.sample.rows import TABLES, Row, Rows, random_for
from workshop.sample.signals import add_checkins, add_entity_labels
from workshop.sample.ugly import UGLY, spoil
from workshop.sample.world import SAMPLE_AS_OF

__all__ = ["SAMPLE_AS_OF", "SampleSummary", "copy_rows", "load_sample"]

MARK = "Orgo Insights sample: "
SAMPLE_VERSION = 1  # goes up whenever the sample's rows change


@dataclass(frozen=True)
class SampleSummary:
    """What the sample consists of: rows per operational table, and rows per kind of ugliness (docs/sample.md)."""

    rows: dict[str, int]
    ugly: dict[str, int]


def load_sample(connection: psycopg.Connection) -> SampleSummary:
    """Create the operational schema (source contract, section 1), drift it, and fill it with the sample.

    All in one transaction (a savepoint, when the connection is in one already). The sample is the same in every
    database and belongs to the `as_of` date SAMPLE_AS_OF. Where it is loaded already, nothing changes; rows that were
    added to it since do no harm.

    Raises:
        InsightsError: the database holds other organizations, another version of the sample, or less than all of it.

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
    """Make every row of the sample, in memory; the same rows each time."""
    rows = Rows()
    teams = add_people(rows)
    for team in teams:
        add_work(rows, team)
        add_checkins(rows, team)
        add_entity_labels(rows, team)
    rng = random_for("ugly")
    unspoilt = spoil(rows, rng)
    add_edges(rows, teams, unspoilt, rng)
    return rows


def _stored_summary(connection: psycopg.Connection) -> SampleSummary | None:
    """Read what the load left as the comment of the table organizations."""
    row = connection.execute("select obj_description(to_regclass('organizations'), 'pg_class')").fetchone()
    if not row or not row[0] or not row[0].startswith(MARK):
        return None
    stored = json.loads(row[0].removeprefix(MARK))
    if stored["version"] != SAMPLE_VERSION:
        raise InsightsError(
            f"The database holds version {stored['version']} of the sample, this is version {SAMPLE_VERSION}. "
            "Drop the database and load it again."
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
            raise InsightsError(
                f"The sample is incomplete: table {table} holds {found} rows, the sample has {expected}. "
                "Drop the database and load it again."
            )


def _refuse_other_organizations(connection: psycopg.Connection) -> None:
    slugs = [row[0] for row in connection.execute("select slug from organizations order by slug limit 5")]
    if slugs:
        raise InsightsError(
            f"The sample needs a database without organizations; this one holds {', '.join(slugs)}. "
            "Give it an empty database."
        )


def _apply_drift(connection: psycopg.Connection) -> None:
    for drift in DRIFT:
        try:
            connection.execute(drift.statement.encode())
        except psycopg.Error as error:
            raise InsightsError(
                f"The sample cannot change the operational schema: {drift.statement!r} failed: {error} "
                "Give it an empty database."
            ) from error


def copy_rows(connection: psycopg.Connection, table: str, rows: list[Row]) -> None:
    """Write rows, which all name the same columns, into an operational table; raises psycopg.Error as COPY does."""
    columns = list(rows[0])
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row([row[column] for column in columns])
