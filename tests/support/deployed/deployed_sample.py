"""The sample's rows, as far as a deployed database can hold them, in the columns of either schema.

Both schemas hold the same facts: a membership begins when its row was created and never ends, and every check-in names
a person. Values that an enum of deployed databases refuses are replaced by legal ones.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg

from workshop.sample.load import copy_rows, make_rows
from workshop.sample.rows import TABLES, Row

# Tokens of older releases and unknown ones, and what stands for them.
LEGAL = {
    **{"info": "MINOR", "ui": "manual", "import": "sync", "insight": "api", "email_thread": "email", "fax": "api"},
    **{"WAITING_FOR_PARTS": "ON_HOLD", "URGENT": "HIGH", "SEVERE": "MAJOR", "CONFIDENTIAL": "INTERNAL"},
    **{"inactive": "disabled"},
}
TOKENS = ("severity", "source", "source_type", "status", "priority", "visibility")
MEMBER_ROLES = {"learner": "student", "tutor": "mentor"}

# Columns that only the deployed tables have, or whose NOT NULL has no default there.
REQUIRED: dict[str, Row] = {
    "organization_profiles": {
        **{"reactivity_profile": "{}", "transparency_profile": "{}", "pattern_sensitivity_profile": "{}"},
        **{"retention_profile": "{}", "version": 1},
    },
    "user_accounts": {"auth_provider": "local"},
}


def legal_rows() -> dict[str, list[Row]]:
    """Return the sample's rows in the columns of the contract, each one also possible in a deployed database."""
    tables = {table: [dict(row) for row in rows] for table, rows in make_rows().tables.items()}
    for row in (row for table in ("tasks", "cases", "user_accounts") for row in tables[table]):
        for column in TOKENS:
            if column in row:
                row[column] = LEGAL.get(row[column], row[column])
    for row in (*tables["tasks"], *tables["cases"]):
        for column in ("metadata", "location"):
            if column in row and not _is_json(row[column]):
                row[column] = "{}"
    for row in tables["organizations"]:
        row["timezone"] = row["timezone"] or "UTC"
    for row in tables["learning_group_memberships"]:
        row |= {"left_at": None, "joined_at": row["created_at"], "role": MEMBER_ROLES[row["role"]]}
    known = {row["id"] for row in tables["tasks"]}
    tables["task_events"] = [row for row in tables["task_events"] if row["task_id"] in known]
    tables["wellbeing_checkins"] = [row for row in tables["wellbeing_checkins"] if row["person_id"]]
    return tables


def fill(connection: psycopg.Connection, tables: dict[str, list[Row]]) -> None:
    """Copy the rows into the operational tables of a database, whichever of the two schemas it has."""
    cases = {task["id"]: task["case_id"] for task in tables["tasks"]}
    present = _columns(connection)
    is_deployed = "case_id" in present["wellbeing_checkins"]
    for table in TABLES:
        rows = [_deployed(table, row, cases) for row in tables[table]] if is_deployed else tables[table]
        copy_rows(connection, table, [{c: v for c, v in row.items() if c in present[table]} for row in rows])


def _deployed(table: str, row: Row, cases: dict[str, str | None]) -> Row:
    row = row | REQUIRED.get(table, {})
    if table == "wellbeing_checkins":
        row |= {
            "context": json.dumps(row["context"]),
            "comment": row["notes"],
            "case_id": cases.get(row["related_task_id"]),
        }
    return row


def _columns(connection: psycopg.Connection) -> dict[str, set[str]]:
    found = connection.execute(
        "select table_name, array_agg(column_name::text) from information_schema.columns"
        " where table_schema = 'public' group by table_name"
    )
    return {table: set(columns) for table, columns in found.fetchall()}


def _is_json(value: Any) -> bool:
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return True
