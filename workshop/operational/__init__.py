"""The schema of Orgo's operational tables, for the demo, the tests and the benchmarks."""

from pathlib import Path

import psycopg

SCHEMA_SQL = Path(__file__).with_name("schema.sql")


def create_operational_schema(connection: psycopg.Connection) -> None:
    """Create the missing operational tables of the source contract (section 1) in the current schema.

    Runs in the caller's transaction and can be repeated. Not for a deployed Orgo database, which already has these
    tables.
    """
    connection.execute(SCHEMA_SQL.read_bytes(), prepare=False)
