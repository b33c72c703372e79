"""Row-level security of the marts: the objects behind it, and its policies on relations that exist (decision D152)."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import BusyError
from orchestration.warehouse.database import Database
from orchestration.warehouse.script import run_script

_LONGEST_NAME = 63  # bytes of a name in PostgreSQL; SqlName is ASCII


def readers_group(settings: Settings) -> str:
    """Return the role that all readers are members of; the policies restrict its members."""
    suffix = "_readers"
    return settings.insights.warehouse.read_only_user[: _LONGEST_NAME - len(suffix)] + suffix


def prepare(db: Database) -> None:
    """Create the group of readers, and the table and functions that policies need; part of `insights init`."""
    names, group = db.names, readers_group(db.settings)
    if not db.rows("select from pg_roles where rolname = %s", [group]):
        db.execute(sql.SQL("create role {} nologin").format(sql.Identifier(group)))
    run_script(
        db,
        "row_security.sql",
        ops=sql.Identifier(names.ops_schema),
        etl=sql.Identifier(db.settings.insights.warehouse.write_user),
        readers=sql.Identifier(group),
        ro_name=sql.Literal(db.settings.insights.warehouse.read_only_user),
        readers_name=sql.Literal(group),
    )
    for statement, name in (
        ("grant usage on schema {} to {}", names.marts_schema),
        ("grant connect on database {} to {}", str(db.connection.info.dbname)),
    ):
        db.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(group)))


def restrict(db: Database, marts: Mapping[str, str | None]) -> None:
    """Give the stored marts and seeds their policies, as the role that owns them; loads do so for what they write.

    `marts` are names of relations in the schema of the marts, each with its `meta.shared`. Raises BusyError if sessions
    that read a relation hold it for some seconds. A mart without `organization_id` that is not shared is for no reader.
    """
    statement = sql.SQL("select {}(to_regclass(%s), %s)").format(db.ops("restrict_rows"))
    relations = {name: db.mart(name) for name in marts}
    missing = db.missing(relations)
    stored = {name: relations[name].as_string(db.connection) for name in marts if name not in missing}
    held = [name for name, relation in stored.items() if db.value(statement, [relation, marts[name]]) is False]
    if held:
        raise BusyError(
            f"Other sessions read {', '.join(held)}, so row-level security could not be set. Run the command again when"
            " their transactions have ended."
        )
