"""`insights init` and `insights env`: what comes before the first build."""

from __future__ import annotations

import shlex

import click

from orchestration.cli import options
from orchestration.cli.texts import say


@click.command()
@options.admin_url
@click.option("--move-aside", is_flag=True, help="Move relations of our names that are not ours to <schema>_aside.")
def init(admin_url: str | None, move_aside: bool) -> None:
    """Prepare a database: schemas, helper functions, the two roles and their grants. Safe to repeat."""
    from orchestration.config.files import load_settings
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.init import initialise

    settings = load_settings()
    with connect(admin_url) as connection:
        report = initialise(connection, settings, move_aside=move_aside)
    for role in report.roles_created:
        say(f"Created the role {role}, without a password; set one with: alter role {role} password '...'")
    for old, new in report.moved_aside.items():
        say(f"Moved {old} to {new}.")
    for column in report.missing_columns:
        say(f"The operational column {column} does not exist; the warehouse will hold NULL in its place.")
    say(f"The database is prepared ({report.profiles_changed} of {len(settings.profiles)} profiles written).")


@click.command()
def env() -> None:
    """Print libpq's variables for INSIGHTS_WAREHOUSE_URL, for a plain dbt: eval "$(insights env)"."""
    from orchestration.config.files import load_settings
    from orchestration.warehouse.connection import libpq_environment

    settings = load_settings()
    variables = libpq_environment(settings.warehouse_url) | {"INSIGHTS_ENV": settings.environment}
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
