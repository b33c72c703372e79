"""Which release has prepared a warehouse: `insights init` records it, and writers compare it (decision D260)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files

from packaging.version import Version
from psycopg import sql

from orchestration.errors import ConflictError, MisconfiguredError, NotPreparedError
from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import SCRIPTS

TABLE = "releases"
_NEWEST = """
    select version, scripts_sha256, prepared_at, prepared_by from {releases} order by release_number desc limit 1
"""
_RECORD = """
    insert into {releases} (release_number, version, scripts_sha256)
    select coalesce(max(release_number), 0) + 1, %(version)s, %(sha256)s from {releases}
    having (
        select row(r.version, r.scripts_sha256) from {releases} as r order by r.release_number desc limit 1
    ) is distinct from row(%(version)s::text, %(sha256)s::text)
"""


@dataclass(frozen=True)
class Preparation:
    """The newest row of the table: a release, the SHA-256 of its scripts, and who ran `insights init` when."""

    version: str
    scripts_sha256: str
    prepared_at: datetime
    prepared_by: str


def this_release() -> str:
    """Return the version of the installed package, such as 3.0.0."""
    return version("orgo-insights")


def scripts_sha256() -> str:
    """Return the SHA-256 of the scripts that make the objects of a server, in hexadecimal."""
    folder = files("orchestration.warehouse").joinpath("scripts")
    return sha256(b"".join(folder.joinpath(name).read_bytes() for name in SCRIPTS)).hexdigest()


def newest(db: Database) -> Preparation | None:
    """Return what prepared the database last; None if it was never prepared, or before this was kept."""
    if db.missing({TABLE: db.ops(TABLE)}):
        return None
    rows = db.rows(sql.SQL(_NEWEST).format(releases=db.ops(TABLE)))
    return Preparation(*rows[0]) if rows else None


def refuse_going_back(stored: str) -> None:
    """Raise ConflictError if a newer release than this one has prepared the warehouse."""
    if _is_newer(stored, this_release()):
        raise ConflictError(
            f"Release {stored} has prepared this warehouse, and this is release {this_release()}, which is older and"
            f" does not know what the newer one changed. Nothing was changed. Install {stored} or later; to go back,"
            " restore a backup from before the upgrade (docs/operations/upgrades.md)."
        )


def record(db: Database) -> None:
    """Add a row for this release, unless the newest row has its version and its scripts."""
    values = {"version": this_release(), "sha256": scripts_sha256()}
    db.execute(sql.SQL(_RECORD).format(releases=db.ops(TABLE)), values)


def check_release(db: Database) -> None:
    """Compare the release that prepared the database with this one, before something is written.

    dbt's macro `assert_prepared` does the same for a plain dbt. Raises NotPreparedError if `insights init` of this
    release has not run, and MisconfiguredError if that of a newer one has.
    """
    found = newest(db)
    check_version(found.version if found else None)


def check_version(stored: str | None) -> None:
    """Compare the version that prepared a warehouse, None for none, with this one; raises like `check_release`."""
    if stored is None:
        raise NotPreparedError("This database is not prepared for this release. Run first: insights init")
    if stored == this_release():
        return
    if _is_newer(stored, this_release()):
        raise MisconfiguredError(
            f"Release {stored} has prepared this database, and this is release {this_release()}: what it writes could"
            f" undo what the newer one has written. Install release {stored} or later."
        )
    raise NotPreparedError(
        f"Release {stored} has prepared this database, and this is release {this_release()}. Run first: insights init"
    )


def _is_newer(one: str, other: str) -> bool:
    return Version(one) > Version(other)
