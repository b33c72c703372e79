"""`insights organizations`, `roles` and `users`: what the options of other commands want to be told."""

from __future__ import annotations

import click

from orchestration.cli import options
from orchestration.cli.tables import show_records


@click.command(epilog="Example: insights organizations --format csv")
@options.form
@options.limit("Number of organizations in the table.")
def organizations(form: str, limit: int) -> None:
    """List the organizations with their slugs and ids, for --org."""
    from orchestration.config.files import load_settings
    from orchestration.warehouse import listed
    from orchestration.warehouse.database import Database

    with Database.open(load_settings()) as db:
        show_records(listed.organizations(db), form, limit, left_to_scripts={"organization_id"})


@click.command(epilog="Example: insights roles --org st-mary")
@click.option("--org", "organization", help="Only roles that exist in this organization, by slug or id.")
@options.form
@options.limit("Number of roles in the table.")
def roles(organization: str | None, form: str, limit: int) -> None:
    """List the role codes and what each may see, for --as.

    A role without an organization exists in all of them. What a role may see is insights.access in config.yaml.
    """
    from orchestration.config.files import load_settings
    from orchestration.dashboards.access import visible
    from orchestration.warehouse import listed
    from orchestration.warehouse.database import Database

    settings = load_settings()
    with Database.open(settings) as db:
        found = listed.roles(db, db.organization(organization) if organization else None)
    access = settings.insights.access
    show_records([role | {"may_see": ", ".join(visible(access, [role["role"]]))} for role in found], form, limit)


@click.command(epilog="Example: insights users --org st-mary")
@click.option("--org", "organization", required=True, help="Organization slug or id.")
@options.form
@options.limit("Number of users in the table.")
def users(organization: str, form: str, limit: int) -> None:
    """List the ids of an organization's users, for --user.

    Names are personal data and are not read. Needs the ETL role, because the read-only role sees no users.
    """
    from orchestration.config.files import load_settings
    from orchestration.warehouse import listed
    from orchestration.warehouse.database import Database

    with Database.open(load_settings()) as db:
        show_records(listed.users(db, db.organization(organization)), form, limit)
