"""Reads the operational tables at one moment: the transaction, and what is known of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg import IsolationLevel

from orchestration.errors import FailedError, NotBuiltError, RefusedError, UnavailableError
from orchestration.warehouse.contract import ContractTable
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import Messages

# Row-level security would leave out rows in silence; off, it is an error. The server notices a killed client.
_SESSION = """
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local client_connection_check_interval = '1s';
    set local row_security = off;
    set local timezone = 'UTC'
"""


@contextmanager
def one_moment(db: Database) -> Iterator[datetime]:
    """Yield the time of the database, in UTC, at which all that the block reads of it is seen, in one transaction.

    The block can only read. Raises PostgreSQL's errors as InsightsError.
    """
    connection = db.connection
    connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
    with db.errors(), connection.transaction():
        connection.execute(_SESSION)
        moment: datetime = db.value("select now()")
        yield moment.astimezone(UTC)


def messages(broke_off: str) -> Messages:
    """Return what to say of PostgreSQL's errors while the tables are read; `broke_off` for one of no known kind."""
    return {
        NotBuiltError: "An operational table or column has vanished meanwhile ({detail}). Nothing was written.",
        RefusedError: "This user may not read the operational tables ({detail}). Connect as the role that loads"
        " (insights.warehouse.write_user) or as another one that may read every row of them. Nothing was written.",
        UnavailableError: broke_off,
        FailedError: broke_off,
    }


def source_of(db: Database) -> str:
    """Return what identifies a database: that of its cluster, which replicas share, and its own number there."""
    return str(
        db.value(
            "select concat_ws('/', system_identifier, (select oid from pg_database where datname = current_database()))"
            " from pg_control_system()"
        )
    )


def timeline_of(db: Database) -> int | None:
    """Return the timeline of a database, which a recovery to a point in time and a failover change.

    It is None if the role may not execute `pg_control_checkpoint`.
    """
    if not db.value("select has_function_privilege('pg_control_checkpoint()', 'execute')"):
        return None
    return int(db.value("select timeline_id from pg_control_checkpoint()"))


def estimated_rows(db: Database, tables: Sequence[ContractTable]) -> int:
    """Return about how many rows the tables have, from the statistics of the server."""
    names = [db.source(table.name).as_string(db.connection) for table in tables]
    query = "select sum(greatest(reltuples, 0))::bigint from pg_class where oid = any(%s::regclass[])"
    return int(db.value(query, [names]) or 0)
