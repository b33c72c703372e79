"""Rows with unusual values, added to the sample: each column of the contract with each kind of its type's values.

Every hostile row is a copy of a good row in which one column is changed. All of them, and the rows that refer to them,
belong to organizations of their own, so that the numbers of the sample's organizations must stay as they are.
"""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from uuid import NAMESPACE_OID, UUID, uuid5

import yaml
from support.hostile.values import VALUES

from orchestration.config.files import PROJECT
from orchestration.warehouse.contract import SOURCES_FILE

# Three cases of one domain, label and location become a pattern, so each value is in three cases and three tasks.
COPIES = {"cases": 3, "tasks": 3}
# Keys that identify a row: unique and never NULL in every Orgo database.
IDENTITIES = "id"


@dataclass(frozen=True)
class HostileRow:
    """One row with one hostile value: its table, column, kind of value and number among the rows of that kind."""

    table: str
    column: str
    kind: str
    expression: str
    number: int

    @property
    def id(self) -> UUID:
        """Return the id of the row in the source."""
        return _uid(f"{self.table} {self.column} {self.kind} {self.number}")


def hostile_rows() -> list[HostileRow]:
    """Return every hostile row, in the order of the contract."""
    return [
        HostileRow(table, column, kind, expression, number)
        for table, columns in contract().items()
        for column, data_type in columns.items()
        if column != IDENTITIES
        for kind, expression in VALUES[data_type].items()
        for number in range(COPIES.get(table, 1))
    ]


@cache
def contract() -> dict[str, dict[str, str]]:
    """Return the tables of the source contract with the type of each column."""
    document = yaml.safe_load((PROJECT / SOURCES_FILE).read_text(encoding="utf-8"))
    (orgo,) = (source for source in document["sources"] if source["name"] == "orgo")
    return {
        table["name"]: {
            column["name"]: column["data_type"]
            for column in table["columns"]
            if not column.get("config", {}).get("meta", {}).get("deployed_only")
        }
        for table in orgo["tables"]
    }


def _uid(name: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"hostile {name}")


# The good rows that hostile rows are copied from: which row of the sample, and what is changed in it.
GOOD_ROWS: dict[str, tuple[str, dict[str, str]]] = {
    "organizations": ("status = 'active' and timezone is not null", {"slug": "'hostile'"}),
    "organization_profiles": ("true", {}),
    "user_accounts": ("true", {}),
    "person_profiles": ("confidentiality_level = 'normal'", {"external_reference": "'4711'"}),
    "roles": ("organization_id is not null", {}),
    "cases": (
        "jsonb_typeof(metadata) = 'object' and not metadata ? 'visibility' and severity in ('MINOR', 'MAJOR')"
        " and source_type in ('email', 'api')",
        {
            "status": "'open'",
            "severity": "'CRITICAL'",
            "label": "'11.11.HR'",
            "location": '\'{"room": "1"}\'',
            "created_at": "'2025-12-20'",
            "updated_at": "'2025-12-20'",
        },
    ),
    "tasks": (
        "status = 'COMPLETED' and closed_at > created_at and priority in ('LOW', 'HIGH') and"
        " severity in ('MINOR', 'MAJOR') and source in ('email', 'api') and visibility = 'INTERNAL'",
        {
            "label": "'11.11.HR'",
            "created_at": "'2025-12-20'",
            "updated_at": "'2025-12-21'",
            "closed_at": "'2025-12-21'",
        },
    ),
    "task_events": (
        "event_type = 'status_changed' and jsonb_typeof(new_value) = 'object' and created_at > '2025-03-01'",
        {"created_at": "'2025-12-20 12:00'"},
    ),
    "task_comments": ("true", {"created_at": "'2025-12-20 13:00'", "updated_at": "'2025-12-20 13:00'"}),
    "task_assignments": ("true", {}),
    "label_definitions": ("category = 'risk' and organization_id is not null", {}),
    "entity_labels": ("entity_type = 'task'", {}),
    "learning_groups": ("true", {}),
    "learning_group_memberships": ("left_at is null", {"joined_at": "'2025-01-01'"}),
    "wellbeing_checkins": ("tags <> '{}'", {"created_at": "'2025-12-20'", "updated_at": "'2025-12-20'"}),
}
# What the good rows refer to: columns with the table of the row.
REFERENCES = {
    "organization_id": "organizations",
    "task_id": "tasks",
    "person_id": "person_profiles",
    "label_id": "label_definitions",
    "learning_group_id": "learning_groups",
    "requester_person_id": "person_profiles",
    "case_id": "cases",
    "created_by_user_id": "user_accounts",
    "assigned_role_id": "roles",
    "related_task_id": "tasks",
}
# Rows that a hostile row needs for itself, by its column that refers to them.
OWN = {
    "organization_profiles": {"organization_id": "organizations"},
    "tasks": {"case_id": "cases"},
    "task_events": {"task_id": "tasks"},
    "task_comments": {"task_id": "tasks"},
    "task_assignments": {"task_id": "tasks"},
    "entity_labels": {"entity_id": "tasks"},
    "learning_group_memberships": {"person_id": "person_profiles"},
}
# Rows that refer to a hostile row: their table and column.
REFERRING = {
    "organizations": [("tasks", "organization_id")],
    "user_accounts": [("tasks", "created_by_user_id")],
    "person_profiles": [
        ("tasks", "requester_person_id"),
        ("wellbeing_checkins", "person_id"),
        ("learning_group_memberships", "person_id"),
    ],
    "roles": [("task_assignments", "assigned_role_id")],
    "cases": [("tasks", "case_id")],
    "tasks": [("task_events", "task_id"), ("task_comments", "task_id"), ("wellbeing_checkins", "related_task_id")],
    "label_definitions": [("entity_labels", "label_id")],
    "learning_groups": [("learning_group_memberships", "learning_group_id")],
}

# Everything that the types of the contract allow is allowed: no enums, no NOT NULL, no checks, no foreign keys. Only
# the location of a case stays text, as it is in the sample, because the sample's locations are not all JSON.
CONSTRAINTS = """
    do $$
    declare found record;
    begin
        for found in
            select conrelid::regclass as relation, conname, contype from pg_constraint
            where
                connamespace = 'public'::regnamespace
                and (contype in ('c', 'f') or contype = 'u' and conrelid <> 'organization_profiles'::regclass)
            order by contype
        loop
            execute format('alter table %s drop constraint %I', found.relation, found.conname);
        end loop;
    end
    $$;
    alter table tasks add column if not exists subtype text;
"""
AS_TEXT = ("cases", "location")


def relaxed_schema() -> str:
    """Return SQL that gives the operational tables the contract's types and nothing else."""
    changes = (
        f"alter table {table} alter column {column} drop default;"
        f"alter table {table} alter column {column} drop not null;"
        + (
            f"alter table {table} alter column {column} type {data_type} using {column}::{data_type};"
            if (table, column) != AS_TEXT
            else ""
        )
        for table, columns in contract().items()
        for column, data_type in columns.items()
        if column != IDENTITIES
    )
    return CONSTRAINTS + "".join(changes)


def insertions(rows: list[HostileRow]) -> Iterator[str]:
    """Return SQL that inserts the good rows, then each hostile row with the rows around it."""
    for table, (choice, changes) in GOOD_ROWS.items():
        references = {c: str(_good(to)) for c, to in REFERENCES.items() if c in contract()[table]}
        original = f"(select id from {table} where {choice} order by id limit 1)"
        yield _copy(table, original, _good(table), references)
        yield from (_change(table, _good(table), column, value) for column, value in changes.items())
    for row in rows:
        own = {column: str(_uid(f"{row.id} {column}")) for column in OWN.get(row.table, {})}
        for column, table in OWN.get(row.table, {}).items():
            yield _copy(table, f"'{_good(table)}'", UUID(own[column]), {})
        yield _copy(row.table, f"'{_good(row.table)}'", row.id, own)
        yield _change(row.table, row.id, row.column, row.expression.replace("{column}", row.column))
        for table, column in REFERRING.get(row.table, []):
            yield _copy(table, f"'{_good(table)}'", _uid(f"{row.id} {table}"), {column: str(row.id)})
        if row.table == "learning_group_memberships":
            table = "wellbeing_checkins"
            yield _copy(table, f"'{_good(table)}'", _uid(f"{row.id} {table}"), own)


def _good(table: str) -> UUID:
    return _uid(f"good {table}")


def _copy(table: str, original: str, new_id: UUID, references: dict[str, str]) -> str:
    changed = json.dumps({"id": str(new_id), **references})
    return (
        f"insert into {table} select (jsonb_populate_record(original, '{changed}')).*"
        f" from {table} as original where original.id = {original};"
    )


def _change(table: str, id_: UUID, column: str, expression: str) -> str:
    stored = "::text" if (table, column) == AS_TEXT else ""
    return f"update {table} set {column} = ({expression})::{contract()[table][column]}{stored} where id = '{id_}';"
