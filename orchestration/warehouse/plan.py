"""Says what `insights init` would change, by trying it in a transaction that is rolled back (decision D261).

There is no second description of what init does: the catalogs are read before and after the try, and compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import ndiff
from importlib.resources import files
from typing import Literal

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import BusyError, RefusedError
from orchestration.warehouse import init
from orchestration.warehouse.access.row_security import readers_group
from orchestration.warehouse.database import Database
from orchestration.warehouse.transaction_lock import retried
from orchestration.warehouse.translation import Messages

# The longest wait for one lock, and so the longest that others queue behind it, and the seconds of further attempts.
LOCK_TIMEOUT = "100ms"
PATIENCE = 3
MESSAGES: Messages = {
    BusyError: "A plan tries the changes for a moment, and another session uses what changes ({detail}). Nothing was"
    " changed, and insights init would wait for the same sessions. Plan again when they have ended.",
    RefusedError: "This user may not prepare the database, so it cannot try what would change: {detail}. Plan as the"
    " user who would run insights init: a superuser, or a role with CREATEROLE that owns the database and the"
    " operational tables and that, from PostgreSQL 16 on, has the ADMIN option on roles of Insights that another user"
    " has made.",
}
# Rows that init writes: their table, what names a row, and a fingerprint, which is compared and never shown.
_ROWS = {
    "profiles": ("profile_code", "md5(document::text)"),
    "releases": ("release_number::text", "version || scripts_sha256"),
    "secret_keys": ("purpose", "encode(sha256(secret), 'hex')"),
    "cache_key": ("'its only row'", "encode(sha256(key), 'hex')"),
}
# Kinds whose definition is short enough for a line, and no secret.
_SHOWN = ("role", "setting", "schema", "column", "constraint", "index", "comment", "privileges")

Kind = Literal["create", "change", "drop", "move", "analyze"]


@dataclass(frozen=True)
class Change:
    """One thing that init would do: `detail` says what an object will be, or from what to what a property changes."""

    change: Kind
    kind: str
    name: str
    detail: str


@dataclass(frozen=True)
class _State:
    """One object or property in the catalogs; `part_of` is the name of the object that it belongs to, if any."""

    part_of: str | None
    definition: str


Snapshot = Mapping[tuple[str, str], _State]


def plan(connection: psycopg.Connection, settings: Settings, *, move_aside: bool = False) -> list[Change]:
    """Return what `init.initialize` would change in the database of `connection`; nothing is changed.

    What belongs to a new object, or to one that is dropped, is not listed apart, except for privileges of roles. Raises
    like `init.initialize`; BusyError comes sooner, because a plan waits for hardly anything.
    """
    init.refuse_standby(connection)
    db = Database(settings, connection, MESSAGES)
    return retried(db, PATIENCE, lambda: _tried(db, move_aside=move_aside))


def _tried(db: Database, *, move_aside: bool) -> list[Change]:
    with init.transaction(db, LOCK_TIMEOUT, PATIENCE, is_kept=False):
        before = _snapshot(db)
        moved = init.change(db, move_aside=move_aside).moved_aside
        after = _snapshot(db)
        unanalyzed = init.without_statistics(db)
    analyzed = [Change("analyze", "table", db.source(name).as_string(db.connection), "") for name in unanalyzed]
    return [*_with_moves(_differences(before, after), moved), *analyzed]


def _with_moves(changes: Iterator[Change], moved: Mapping[str, str]) -> Iterator[Change]:
    """Replace what is dropped under its old name and created under its new one, of each relation of `moved`."""
    made = {("create", new) for new in moved.values()}
    for one in changes:
        if one.change == "drop" and one.name in moved:
            yield Change("move", one.kind, one.name, f"to {moved[one.name]}, with its rows")
        elif (one.change, one.name) not in made or one.kind == "privileges":
            yield one


def _snapshot(db: Database) -> Snapshot:
    warehouse, names = db.settings.insights.warehouse, db.names
    query = files("orchestration.warehouse").joinpath("scripts", "catalog.sql").read_text(encoding="utf-8")
    parameters = {
        "schemas": list(names.schemas),
        "aside": rf"^{names.marts_schema}_aside(_\d+)?$",
        "source": names.source_schema,
        "roles": [
            *(warehouse.write_user, warehouse.read_only_user, warehouse.export_user),
            readers_group(db.settings),
        ],
    }
    rows = db.rows(query, parameters)
    return {(kind, name): _State(part_of, definition) for kind, name, part_of, definition in [*rows, *_rows(db)]}


def _rows(db: Database) -> Iterator[tuple[str, str, str | None, str]]:
    missing = db.missing({table: db.ops(table) for table in _ROWS})
    for table in _ROWS.keys() - missing:
        name, fingerprint = _ROWS[table]
        query = sql.SQL(f"select {name}, {fingerprint} from {{}}").format(db.ops(table))  # noqa: S608 - of _ROWS
        for key, value in db.rows(query):
            yield "row", f"{db.names.ops_schema}.{table}: {key}", None, value


def _differences(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    objects = {name for kind, name in before.keys() ^ after.keys() if kind not in ("comment", "privileges", "row")}
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        kind, name = key
        parent = (new or old or _State(None, "")).part_of
        is_implied = parent in objects and (kind != "privileges" or new is None or name.endswith(" to public"))
        if old and new:
            yield Change("change", kind, name, _from_to(kind, old.definition, new.definition))
        elif not is_implied:
            yield Change("create" if new else "drop", kind, name, new.definition if new and kind in _SHOWN else "")


def _from_to(kind: str, old: str, new: str) -> str:
    """Return what changes, without definitions that are long or secret."""
    if kind in _SHOWN:
        return f"{old} -> {new}"
    if kind == "row":
        return "its contents"
    lines = [line for line in ndiff(old.splitlines(), new.splitlines()) if line[:1] in "+-"]
    count = Counter(line[0] for line in lines)
    return f"+{count['+']} -{count['-']} lines of its definition"
