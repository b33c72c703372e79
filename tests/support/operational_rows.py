"""What the operational tables hold for the reviews, as plain dicts with the contract's column names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]

COLUMNS = {
    "organization_profiles": ("organization_id", "profile_code"),
    "person_profiles": ("id", "linked_user_id", "confidentiality_level"),
    "label_definitions": ("id", "category"),
    "entity_labels": ("label_id", "entity_type", "entity_id"),
    "tasks": (
        *("id", "case_id", "type", "visibility", "source", "created_by_user_id", "requester_person_id", "created_at"),
    ),
    "cases": (
        *("id", "organization_id", "source_type", "source_reference", "label", "status", "severity", "reactivity_time"),
        *("location", "metadata", "created_at", "updated_at"),
    ),
}
AS_THEY_ARE = ("created_at", "updated_at", "reactivity_time")
JSON = ("location", "metadata")


@dataclass(frozen=True)
class Operational:
    """The rows of one database, by table."""

    organization_profiles: list[Row]
    person_profiles: list[Row]
    label_definitions: list[Row]
    entity_labels: list[Row]
    tasks: list[Row]
    cases: list[Row]
    requested: frozenset[str] = frozenset()  # ids of cases that Insights itself had opened


def read_operational(connection: psycopg.Connection) -> Operational:
    """Return every row; ids and tokens as text, JSON as Python values."""
    tables = {table: _rows(connection, table) for table in COLUMNS}
    return Operational(requested=frozenset(), **tables)


def _rows(connection: psycopg.Connection, table: str) -> list[Row]:
    columns = sql.SQL(", ").join(
        sql.Identifier(name) if name in AS_THEY_ARE else sql.SQL("{0}::text as {0}").format(sql.Identifier(name))
        for name in COLUMNS[table]
    )
    query = sql.SQL("select {} from {}").format(columns, sql.Identifier(table))
    rows = connection.cursor(row_factory=dict_row).execute(query).fetchall()
    return [{name: parsed(value) if name in JSON else value for name, value in row.items()} for row in rows]


def parsed(text: str | None) -> Any:
    """Return JSON as a Python value; other text is returned as a string."""
    if text is None:
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return text


def printed(value: Any) -> str:
    """Return a JSON value as PostgreSQL prints jsonb: keys by length, then by their bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{printed(key)}: {printed(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(printed, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
