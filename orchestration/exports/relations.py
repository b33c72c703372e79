"""The relations of an export as SQL: their joins, and which of their rows may be exported.

A column that refers to a row of another export keeps the reference only if that row may be exported too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg import sql

from orchestration.config.tokens import Visibility
from orchestration.exports.definitions import Definition, Part, Reference
from orchestration.warehouse.loads import Load

_LEAVING = sql.SQL("(select {key} as key from {joined} where {where})")
_EACH = sql.SQL(
    "case when {values} is not null then array("
    "select named.id from unnest({values}) with ordinality as named (id, place)"
    " where exists (select from {leaving} as leaving where leaving.key = named.id) order by named.place) end"
)


@dataclass(frozen=True)
class Scope:
    """The scope of one export: UTC days from `since` up to `until` (exclusive), and visibilities of rows to export.

    `load` is the load of the data, `read_at` the time of the snapshot.
    """

    organization_id: UUID
    since: date
    until: date
    visible: list[Visibility]
    load: Load
    read_at: datetime


def joined(definition: Definition, instead: Mapping[str, sql.Composable] | None = None) -> sql.Composable:
    """Return the joined relations of an export; joins include the organization.

    `instead` has the SQL of the rows of some relations, by name.
    """
    first, *others = definition.parts
    rows = instead or {}
    found: list[sql.Composable] = [_relation(first, rows.get(first.name))]
    for part in others:
        key = part.key or ""
        found.append(
            sql.SQL("left join {} on {} = {} and {} = {}").format(
                _relation(part, rows.get(part.name)),
                sql.Identifier(first.name, key),
                sql.Identifier(part.name, key),
                sql.Identifier(first.name, "organization_id"),
                sql.Identifier(part.name, "organization_id"),
            )
        )
    return sql.SQL(" ").join(found)


def is_of(definition: Definition, organization_id: UUID) -> sql.Composable:
    """Return the condition that a row belongs to the organization."""
    column = sql.Identifier(definition.parts[0].name, "organization_id")
    return sql.SQL("{} = {}::uuid").format(column, str(organization_id))


def is_visible(definition: Definition, visible: Sequence[Visibility]) -> sql.Composable:
    """Return the condition that a row and all rows joined to it may be exported; a missing joined row is ignored."""
    conditions = [_part_is_visible(part, visible) for part in definition.parts if part.has_visibility]
    return sql.SQL(" and ").join(conditions)


def only_leaving(
    name: str, value: sql.Composable, reference: Reference, scope: Scope
) -> tuple[sql.Composable, sql.Composable | None]:
    """Return the value of the reference `name`, without rows that may not be exported, and its join, if it needs one.

    A single reference uses a join, because a subquery for each row takes three times as long.
    """
    target = reference.export
    where = [is_of(target, scope.organization_id), is_visible(target, scope.visible)]
    leaving = _LEAVING.format(
        key=sql.Identifier(reference.part.name, reference.key),
        joined=joined(target),
        where=sql.SQL(" and ").join(where),
    )
    if reference.is_array:
        return _EACH.format(values=value, leaving=leaving), None
    key = sql.Identifier(f"{name} that leaves", "key")
    alias = sql.Identifier(f"{name} that leaves")
    return key, sql.SQL(" left join {} as {} on {} = {}").format(leaving, alias, key, value)


def texts(values: Sequence[Visibility]) -> sql.Composable:
    """Return visibilities as a PostgreSQL array."""
    return sql.SQL("array[{}]::text[]").format(sql.SQL(", ").join(sql.Literal(v) for v in values))


def _relation(part: Part, rows: sql.Composable | None) -> sql.Composable:
    return sql.SQL("{} as {}").format(rows or sql.Identifier(part.schema, part.identifier), sql.Identifier(part.name))


def _part_is_visible(part: Part, visible: Sequence[Visibility]) -> sql.Composable:
    query = "{} = any({})" if part.key is None else "coalesce({} = any({}), true)"
    return sql.SQL(query).format(sql.Identifier(part.name, "visibility"), texts(visible))
