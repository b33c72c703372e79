"""What is read of each operational table: rows that changed since the last time, or all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql

from orchestration.source_snapshot.queries import TableQuery, copy_query
from orchestration.warehouse.contract import ContractTable

# The columns of which one identifies a row, the first that a table has (macro `identity_of`).
IDENTITIES = ("id", "organization_id")


@dataclass(frozen=True)
class TablePlan:
    """One table: its query, and `since`, the moment from which changes are read; None if all rows are.

    `key` identifies its rows; a table without one is replaced whole. `rules` changes with the columns and conversions
    of the query: rows that were copied by other rules are copied again. With `is_new`, the table is dropped in the
    copy, if it is there, and made again.
    """

    query: TableQuery
    key: str | None
    since: datetime | None
    rules: str
    is_new: bool = False

    @property
    def name(self) -> str:
        """The name of the table, in the source and in the copy."""
        return self.query.table.name


def plan(
    tables: Sequence[ContractTable],
    selects: Mapping[str, str],
    known: Mapping[str, Mapping[str, Any]],
    overlap: timedelta,
    new: Collection[str] = (),
) -> list[TablePlan]:
    """Return what to read of each table.

    `selects` are those of `table_selects`, and `known` is the state of each table that was copied before and counted:
    `through`, the moment in ISO 8601 until which changes were read, and `rules`. Changes are read from `overlap` before
    that moment. Read whole are tables without a time of changes, those that are not in `known`, and those of `new`,
    which are made again.
    """
    plans = []
    for table in tables:
        select, state = selects[table.name], known.get(table.name, {})
        rules = hashlib.sha256("\n".join([select, *map(repr, table.columns.items())]).encode()).hexdigest()
        changed, since = _changed_at(table), None
        if changed and table.name not in new and state.get("rules") == rules:
            since = datetime.fromisoformat(state["through"]) - overlap
        condition = _condition(changed, since) if changed and since else sql.SQL("")
        key = next((name for name in IDENTITIES if name in table.columns), None)
        plans.append(TablePlan(copy_query(table, select, condition), key, since, rules, table.name in new))
    return plans


def _changed_at(table: ContractTable) -> str | None:
    """Return the column with the time of the last change; None if changes cannot be found without reading all rows."""
    if "id" not in table.columns:  # a row without a key of its own is not found again when it changes
        return None
    return table.changed_at or ("updated_at" if "updated_at" in table.columns else None)


def _condition(changed: str, since: datetime) -> sql.Composed:
    condition = " where source.{0} >= {1}::timestamptz or source.{0} is null"
    return sql.SQL(condition).format(sql.Identifier(changed), since.isoformat())
