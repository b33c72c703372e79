"""Orgo's operational tables, as the demo, the tests and the benchmarks need them: the schema and the sample."""

from pathlib import Path

import psycopg

SCHEMA_SQL = Path(__file__).with_name("schema.sql")


def create_operational_schema(connection: psycopg.Connection) -> None:
    """Create the operational tables of the source contract (section 1) where they are missing, in the current schema.

    Runs inside the caller's transaction and may be repeated. It is never meant for a deployed Orgo database, which
    has these tables already.
    """
    connection.execute(SCHEMA_SQL.read_bytes(), prepare=False)
