"""Prepares a database of Snowflake for dbt: schemas, bookkeeping, the key of opaque ids, and the profiles."""

from __future__ import annotations

import json
import secrets
from getpass import getuser
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from orchestration.config.files import Settings
from orchestration.errors import NotPreparedError
from orchestration.warehouse.contract import contract_tables
from orchestration.warehouse.releases import TABLE, check_version, refuse_going_back, this_release
from orchestration.warehouse.snowflake.connection import Session, connected
from orchestration.warehouse.snowflake.lease import create_lease, writer_lease

KEY_BYTES = 32


class Prepared(NamedTuple):
    """What `insights init` did: the number of profiles written, and the operational tables that do not exist."""

    profiles_changed: int
    missing_tables: tuple[str, ...]


def prepare(settings: Settings) -> Prepared:
    """Make a database ready for dbt, under the lease of the writer; it is idempotent.

    The role must be able to create schemas, or own them. Raises like `connected`, ConflictError if a newer release has
    prepared the database, BusyError while a process writes, and FailedError if Snowflake refuses a statement.
    """
    with connected(settings) as session, connected(settings) as of_the_lease:
        names, stored = session.names, _newest(session)
        if stored:
            refuse_going_back(stored[0])
        for schema in names.schemas:
            session.execute(f"create schema if not exists {schema}")
        script = files(__package__).joinpath("objects.sql").read_text(encoding="utf-8")
        for statement in statements(script.format(ops=names.ops_schema)):
            session.execute(statement)
        create_lease(session)
        with writer_lease(of_the_lease):
            _record_release(session, sha256(script.encode()).hexdigest(), stored)
            session.execute(
                f"insert into {session.ops('secret_keys')} (purpose, secret) select 'review_cases', %s"  # noqa: S608
                f" where not exists (select 1 from {session.ops('secret_keys')} where purpose = 'review_cases')",
                [secrets.token_hex(KEY_BYTES)],
            )
            return Prepared(synchronize_profiles(session), missing_tables(session))


def statements(script: str) -> list[str]:
    """Return the statements of a script, without its comments; none has a semicolon within."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]


def missing_tables(session: Session) -> tuple[str, ...]:
    """Return the operational tables of the contract that the schema of the source lacks."""
    found = session.tables(session.names.source_schema)
    return tuple(table.name for table in contract_tables() if table.name not in found)


def check_release(session: Session) -> None:
    """Compare the release that prepared the database with this one; raises like `check_version`."""
    stored = _newest(session)
    check_version(stored[0] if stored else None)


def synchronize_profiles(session: Session) -> int:
    """Update the table of profiles to config/organization_profiles.yaml; returns the number of changed rows."""
    table, wanted = session.ops("profiles"), session.settings.profiles
    stored = dict(session.rows(f"select profile_code, document from {table}"))  # noqa: S608
    documents = {code: json.dumps(profile.model_dump(mode="json")) for code, profile in wanted.items()}
    written = [code for code, document in documents.items() if stored.get(code) != document]
    old = [code for code in stored if code in written or code not in wanted]
    if not written and not old:
        return 0
    with session.transaction():
        for code in old:
            session.execute(f"delete from {table} where profile_code = %s", [code])  # noqa: S608
        for code in written:
            profile = wanted[code]
            visibility = profile.default_task_metadata.visibility
            session.execute(
                f"insert into {table} (profile_code, default_visibility, reactivity_seconds,"  # noqa: S608
                " max_escalation_seconds, document) values (%s, %s, %s, %s, %s)",
                [code, visibility, profile.reactivity_seconds, profile.max_escalation_seconds, documents[code]],
            )
    return len({*written, *old})


def check_tables(session: Session) -> None:
    """Raise NotPreparedError if an operational table does not exist."""
    if missing := missing_tables(session):
        raise NotPreparedError(
            f"The schema {session.names.source_schema} lacks operational tables: {', '.join(missing)}. A replication"
            " must deliver them (docs/engines/snowflake.md); insights.source.schema names their schema."
        )


def _newest(session: Session) -> tuple[str, str] | None:
    """Return version and scripts of the release that prepared the database last."""
    if TABLE not in session.tables(session.names.ops_schema):
        return None
    query = f"select version, scripts_sha256 from {session.ops(TABLE)} order by release_number desc limit 1"  # noqa: S608
    return next(iter(session.rows(query)), None)


def _record_release(session: Session, scripts: str, stored: tuple[str, str] | None) -> None:
    made = (this_release(), scripts)
    if stored != made:
        session.execute(
            f"insert into {session.ops(TABLE)} (version, scripts_sha256, prepared_by) values (%s, %s, %s)",  # noqa: S608
            [*made, getuser()],
        )
