"""`insights reader`: add, list and remove logins that see the rows of one organization."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.sections import Group
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.warehouse.database import Database


@click.group(cls=Group)
def reader() -> None:
    """Add, list and remove logins of single organizations.

    Such a login selects from the marts with SQL, and row-level security shows it the rows of its organization only.
    """


@reader.command(epilog="Example: insights reader add st-mary")
@click.argument("organization")
@options.admin_url
def add(organization: str, admin_url: str | None) -> None:
    """Create the login of an organization, or change its password.

    ORGANIZATION is a slug or an id. The password is read from INSIGHTS_READER_PASSWORD, or asked for in a terminal.
    """
    from orchestration.manifest import read_manifest, relations
    from orchestration.warehouse.access import readers, row_security

    with _databases(admin_url) as (db, admin):
        id_ = db.organization(organization)
        slug = readers.slug_of(db, id_)
        password = _password()
        found = relations(read_manifest(db.settings)).values()
        marts = {r.identifier: r.meta.get("shared") for r in found if r.schema == db.names.marts_schema}
        row_security.restrict(db, marts)
        role, is_new = readers.add(admin, id_, slug, password)
    if is_new:
        say(f"Created the login {role}; it sees the rows of {slug} ({id_}).")
    else:
        say(f"Changed the password of {role}.")


@reader.command("list", epilog="Example: insights reader list")
@options.limit("Number of logins in the table.")
@options.form
def show(limit: int, form: str) -> None:
    """List the logins of single organizations."""
    from orchestration.config.files import load_settings
    from orchestration.warehouse.access.readers import readers
    from orchestration.warehouse.database import Database

    with Database.open(load_settings()) as db:
        found = readers(db)
    records = [
        {
            "login": r.role,
            "organization": r.slug or "(gone)",
            "organization_id": r.organization_id,
            "added": r.added_at,
            "can_log_in": r.has_login,
        }
        for r in found
    ]
    show_records(records, form, limit, left_to_scripts={"organization_id"})


@reader.command(epilog="Example: insights reader remove st-mary")
@click.argument("organization")
@options.admin_url
def remove(organization: str, admin_url: str | None) -> None:
    """Remove the login of an organization.

    ORGANIZATION is a slug or an id. Sessions that are open see no rows from then on.
    """
    from orchestration.warehouse.access import readers

    with _databases(admin_url) as (db, admin):
        role = readers.remove(admin, db, organization)
    say(f"Removed the login {role}.")


@contextmanager
def _databases(admin_url: str | None) -> Iterator[tuple[Database, Database]]:
    """Connect as the role that loads and as the administrator."""
    from orchestration.config.files import load_settings
    from orchestration.warehouse.access.readers import MESSAGES, check_same_database
    from orchestration.warehouse.connection import open_session
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings) as db, open_session(admin_url, autocommit=True) as connection:
        admin = Database(settings, connection, MESSAGES)
        check_same_database(admin, db)
        yield db, admin


def _password() -> str:
    from orchestration.config.secrets.by_file import Variables
    from orchestration.config.variables import READER_PASSWORD

    given = Variables().get(READER_PASSWORD, "")
    if given:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"The password is missing: set {READER_PASSWORD} or {READER_PASSWORD}_FILE, or run this in a terminal."
        )
    answer: str = click.prompt("Password of the new login", hide_input=True, confirmation_prompt=True)
    return answer
