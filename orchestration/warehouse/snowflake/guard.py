"""Stops a load of Snowflake whose operational tables have lost rows since the last one (decision D142)."""

from __future__ import annotations

from orchestration.errors import RefusedError
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.snowflake.connection import Session
from orchestration.warehouse.snowflake.prepare import check_tables
from orchestration.warehouse.source.guard import Confirmed, vanished


def check_source_rows(session: Session, confirmed: Confirmed) -> None:
    """Compare the rows of the operational tables with those at the start of the last load, then store their numbers.

    The retention cutoff (decision D143) is not checked. Raises RefusedError, and stores nothing, if too many rows have
    vanished, unless that is confirmed; also raises like `check_tables`.
    """
    totals = row_counts(session)
    if not confirmed.vanished and (lost := vanished(totals, known_counts(session), session.settings.insights.etl)):
        raise RefusedError(
            f"{lost} No relation was changed, because a missing row counts as deleted. Likely reasons: a replication"
            " that is not finished, a row access policy, another insights.source.schema. If the rows were deleted on"
            " purpose, confirm it once: insights build --accept-vanished"
        )
    table = session.ops("source_counts")
    with session.transaction():
        session.execute(f"delete from {table}")  # noqa: S608 - a name of ours
        places = ", ".join(["(%s, %s)"] * len(totals))
        session.execute(
            f"insert into {table} (table_name, row_count) values {places}",  # noqa: S608
            [value for pair in totals.items() for value in pair],
        )


def vanished_rows(session: Session) -> str | None:
    """Return a sentence that names the tables that have lost too many rows since the last load; None if none has."""
    return vanished(row_counts(session), known_counts(session), session.settings.insights.etl)


def row_counts(session: Session) -> dict[str, int]:
    """Return the number of rows of each operational table; raises like `check_tables`."""
    check_tables(session)
    schema = session.names.source_schema
    each = (f"select '{t.name}', count(*) from {schema}.{t.name}" for t in contract_tables())  # noqa: S608
    return dict(session.rows(" union all ".join(each)))


def known_counts(session: Session) -> dict[str, int]:
    """Return the number of rows of each operational table at the start of the last load."""
    return dict(session.rows(f"select table_name, row_count from {session.ops('source_counts')}"))  # noqa: S608
