"""What dbt needs by the engine of the warehouse: the lock of the writer, the check of the source, the profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any

from orchestration.config.engines.snowflake import snowflake_variables
from orchestration.config.files import Settings
from orchestration.config.secrets.by_file import Variables
from orchestration.config.variables import DUCKDB_PATH, LEASE
from orchestration.source_snapshot.description import read_description
from orchestration.source_snapshot.folder import unchanged
from orchestration.supervision import AS_IT_IS
from orchestration.warehouse import profiles
from orchestration.warehouse.clock import today
from orchestration.warehouse.connection import open_session
from orchestration.warehouse.database import Database
from orchestration.warehouse.duckdb.file import OWNER_ONLY
from orchestration.warehouse.duckdb.guard import check_snapshot_rows
from orchestration.warehouse.duckdb.prepare import prepare
from orchestration.warehouse.loads import refuse_serving
from orchestration.warehouse.snowflake import writing as in_snowflake
from orchestration.warehouse.source.guard import Confirmed, check_source_rows
from orchestration.warehouse.writer_lock import writer_lock

DUCKDB_PROFILE = "orgo_insights_duckdb"  # of profiles.yml
PROFILES = {"duckdb": DUCKDB_PROFILE, "snowflake": "orgo_insights_snowflake"}


@contextmanager
def writing(settings: Settings, url: str | None) -> Iterator[int]:
    """Hold the writer lock of a warehouse and update its table of profiles; yields the number of the lock.

    In a file of DuckDB, it reads the snapshot again, which nothing replaces meanwhile, and yields 0: dbt's process
    holds the lock of the file itself (decision D249); raises like `prepare`. In Snowflake, the lock is a lease
    (decision D295); raises like `orchestration.warehouse.snowflake.writing.writing`.

    Raises BusyError if another process writes, NotPreparedError without `insights init`, RefusedError for a role that
    may not write or in `offline` unless it is enabled, MisconfiguredError if the address leads to a pooler, and
    ConflictError for the serving database of `insights publish`.
    """
    settings.check_offline("Loads")
    if settings.is_duckdb:
        with unchanged(settings.snapshot_directory):
            prepare(settings.duckdb_path, settings.snapshot_directory, settings)
            yield 0
        return
    if settings.is_snowflake:
        with in_snowflake.writing(settings) as lease:
            yield lease
        return
    with open_session(url, autocommit=True) as connection:
        db = Database(settings, connection)
        with writer_lock(db) as claim:
            refuse_serving(db)
            profiles.synchronize(db)
            yield claim


def check_rows(
    settings: Settings, url: str | None, variables: Mapping[str, Any], confirmed: Confirmed, claim: int
) -> None:
    """Check the rows of the source for a load with these variables of dbt; raises like `check_source_rows`.

    The day is that of the load: the variable `as_of`, else today (UTC), as in the macro `as_of`.
    """
    if settings.is_duckdb:
        check_snapshot_rows(settings, confirmed)
        return
    if settings.is_snowflake:
        in_snowflake.check_rows(settings, confirmed)
        return
    given = variables.get("as_of")
    with open_session(url, autocommit=True) as connection:
        db = Database(settings, connection)
        check_source_rows(db, date.fromisoformat(given) if given else today(db), confirmed, claim)


def dated(settings: Settings, variables: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the variables of a load. In a file of DuckDB, `as_of` is by default the day of the snapshot, not today."""
    given = variables or {}
    if settings.is_duckdb and not given.get("as_of"):
        return {**given, "as_of": read_description(settings.snapshot_directory).day.isoformat()}
    return given


def profile_options(settings: Settings) -> list[str]:
    """Return dbt's options that name the profile of the engine; PostgreSQL's is the project's."""
    profile = PROFILES.get(settings.insights.warehouse.type)
    return ["--profile", profile] if profile else []


def engine_variables(settings: Settings) -> dict[str, str]:
    """Return the variables of the profile that one engine needs; PostgreSQL's are those of libpq."""
    if settings.is_snowflake:
        return snowflake_variables(Variables())
    return {DUCKDB_PATH: str(settings.duckdb_path)} if settings.is_duckdb else {}


def lock_variables(settings: Settings, claim: int | None) -> dict[str, str]:
    """Return the variables by which dbt proves the lock of the writer with this number; None is none."""
    is_lease = settings.is_snowflake
    return {"INSIGHTS_CLAIM": "" if is_lease else str(claim or ""), LEASE: str(claim or "") if is_lease else ""}


def umask(settings: Settings) -> int:
    """Return the umask of dbt's process."""
    return OWNER_ONLY if settings.is_duckdb else AS_IT_IS
