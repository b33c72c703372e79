"""Create operational databases for imports and read their contents."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from workshop.incidents import ImportResult, import_incidents
from workshop.incidents.columns import DateFormat
from workshop.operational import create_operational_schema

TABLES = (
    "organizations",
    "organization_profiles",
    "user_accounts",
    "person_profiles",
    "roles",
    "cases",
    "tasks",
    "task_events",
)
Database = Connection[TupleRow]


@contextmanager
def operational_database(url: str) -> Iterator[Database]:
    """Create the operational tables in the database at `url` and yield a connection to it."""
    with psycopg.connect(url) as connection:
        create_operational_schema(connection)
        connection.commit()
        yield connection


def load(
    database: Database,
    file: Path,
    report: Path | None = None,
    schema: str = "public",
    dates: DateFormat | None = None,
) -> ImportResult:
    report = report or file.with_name("rejected.csv")
    return import_incidents(database, file, report=report, schema=schema, dates=dates)


def rows(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.transaction():
        return database.execute(query.encode(), values).fetchall()


def one(database: Database, query: str, *values: object) -> Any:
    ((value,),) = rows(database, query, *values)
    return value


def task(database: Database, columns: str, number: str = "INC0000001") -> tuple[Any, ...]:
    (found,) = rows(database, f"select {columns} from tasks where metadata ->> 'number' = %s", number)  # noqa: S608
    return found


def events(database: Database, columns: str, number: str = "INC0000001") -> list[tuple[Any, ...]]:
    return rows(
        database,
        f"""
        select {columns} from task_events as e inner join tasks as t on t.id = e.task_id
        where t.metadata ->> 'number' = %s
        order by e.created_at, (e.new_value -> 'incident' ->> 'sys_mod_count')::int
        """,  # noqa: S608
        number,
    )


def counts(database: Database) -> dict[str, int]:
    return {table: one(database, f"select count(*) from {table}") for table in TABLES}  # noqa: S608


def versions(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return the id, writing transaction and physical location of each row, which differ after any write."""
    return {table: rows(database, f"select id, xmin::text, ctid::text from {table} order by id") for table in TABLES}  # noqa: S608


def work(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of cases, tasks and events."""
    return {table: rows(database, f"select * from {table} order by id") for table in ("cases", "tasks", "task_events")}  # noqa: S608


def empty(database: Database) -> None:
    """Delete all rows that an import wrote."""
    with database.transaction():
        for table in reversed(TABLES):
            database.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))
