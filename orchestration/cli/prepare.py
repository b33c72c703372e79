"""`insights init`, `env` and `systemd`: prepare a database or a host, and print the connection for a plain dbt."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from orchestration.cli import options
from orchestration.cli.show import NEEDS_ATTENTION
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.config.settings import Settings
    from orchestration.warehouse.init import InitReport


@click.command(epilog="Example: insights init --admin-url postgresql://postgres@db.example.org/orgo")
@options.admin_url
@click.option("--move-aside", is_flag=True, help="Move foreign relations with the marts' names to <schema>_aside.")
@click.option("--plan", "is_plan", is_flag=True, help="Print what would change, and change nothing.")
@options.form
@click.pass_context
def init(context: click.Context, admin_url: str | None, move_aside: bool, is_plan: bool, form: str) -> None:
    """Prepare a database: schemas, functions, roles and grants.

    It is safe to repeat. A file of DuckDB (insights.warehouse.type) has no roles: it gets schemas, bookkeeping and a
    view of each table of the snapshot. With INSIGHTS_SERVING_URL, the serving database, to which the options lead, is
    prepared too. In Snowflake, to which SNOWFLAKE_ACCOUNT and its like lead, it makes schemas and bookkeeping, and no
    roles.

    With --plan, the rows are what init would create, change or drop, --format is their format, and the exit code is 3
    if there is anything, else 0. A plan needs the rights of init, because it tries the changes and takes them back.
    """
    if form != "table" and not is_plan:
        raise click.UsageError("--format is the format of a plan: add --plan.")
    from orchestration.config.files import load_settings
    from orchestration.warehouse.connection import open_session
    from orchestration.warehouse.init import initialize

    settings = load_settings()
    if settings.is_snowflake:
        if _is_given(context, "admin_url") or move_aside or is_plan:
            raise click.UsageError(
                "Roles of Snowflake are its administrator's, and there is no plan: leave out --admin-url, --move-aside"
                " and --plan."
            )
        _prepare_snowflake(settings)
        return
    if settings.is_duckdb:
        if not settings.serving_url and (_is_given(context, "admin_url") or move_aside or is_plan):
            raise click.UsageError(
                "A file of DuckDB has no owner, no foreign relations and no plan: leave out --admin-url, --move-aside"
                " and --plan."
            )
        if not is_plan:
            _prepare_file(settings)
        if not settings.serving_url:
            return
    if is_plan:
        _show_plan(settings, admin_url, form, move_aside=move_aside)
    with open_session(admin_url) as connection:
        report = initialize(connection, settings, move_aside=move_aside)
    _tell(settings, report)


def _tell(settings: Settings, report: InitReport) -> None:
    """Say what `insights init` has made and could not make."""
    for role in report.roles_created:
        say(f"Created the role {role}, without a password; set one with: alter role {role} password '...'")
    for table in report.dropped:
        say(f"Dropped the empty table {table}, which this project did not create; the first build creates its own.")
    for old, new in report.moved_aside.items():
        say(f"Moved {old} to {new}.")
    for column in report.missing_columns:
        say(f"The operational column {column} does not exist; docs/source-contract.md says what stands for it.")
    for schema in report.open_schemas:
        say(
            f"Every role may create objects in the schema {schema}, and other programs may take them for their own."
            f" Insights does not; to close it: revoke create on schema {schema} from public;"
        )
    for statement in report.unset_limits:
        say(f"This user may not limit the temporary files of dashboards. As a superuser, run: {statement}")
    if not report.stores_export_key:
        say(
            f"The role {settings.insights.warehouse.export_user} cannot export yet, because this database does not know"
            " the key of the masks: run insights init with INSIGHTS_EXPORT_KEY in its environment."
        )
    etl = settings.insights.etl
    if report.spare_connections < (wanted := etl.concurrency + etl.extra_connections):
        say(
            f"Dashboards may leave {max(0, report.spare_connections)} of the server's connections to others, and a load"
            f" takes {wanted}. Lower insights.warehouse.reader_limits.connections in config/insights/config.yaml, or"
            " raise max_connections of the server."
        )
    say(f"The database is prepared ({report.profiles_changed} of {len(settings.profiles)} profiles written).")


def _show_plan(settings: Settings, admin_url: str | None, form: str, *, move_aside: bool) -> NoReturn:
    from orchestration.warehouse.connection import open_session
    from orchestration.warehouse.plan import plan

    with open_session(admin_url) as connection:
        changes = plan(connection, settings, move_aside=move_aside)
    if changes or form != "table":
        show_records([asdict(change) for change in changes], form)
    else:
        say("Nothing to do: insights init would change nothing.")
    sys.exit(NEEDS_ATTENTION if changes else 0)


def _prepare_file(settings: Settings) -> None:
    from orchestration.warehouse.duckdb.prepare import prepare

    snapshot = prepare(settings.duckdb_path, settings.snapshot_directory, settings)
    of = snapshot.organization or "all organizations"
    reads = f"{settings.duckdb_path} reads {settings.snapshot_directory}"
    say(f"{reads}: {snapshot.rows:,} rows of {of}, {snapshot.moment}.")


def _prepare_snowflake(settings: Settings) -> None:
    from orchestration.warehouse.snowflake.prepare import prepare

    prepared = prepare(settings)
    for table in prepared.missing_tables:
        say(
            f"The schema {settings.insights.source.schema_name} has no table {table} yet; a build needs it"
            " (docs/engines/snowflake.md)."
        )
    profiles = f"{prepared.profiles_changed} of {len(settings.profiles)} profiles written"
    say(f"The database is prepared ({profiles}).")


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


@click.command(epilog='Example: eval "$(insights env)"')
def env() -> None:
    """Print the connection as shell variables for a plain dbt.

    The variables are those of libpq (PGHOST, PGUSER and so on) for the server to which INSIGHTS_WAREHOUSE_URL leads
    now, with the password, and those of dbt's profile. For a file of DuckDB, they name the file; for Snowflake, the
    account and the credentials.
    """
    from orchestration.config.files import load_settings
    from orchestration.config.secrets.by_file import SUFFIX, Variables
    from orchestration.dbt import profile_variables
    from orchestration.warehouse.connection import connection_variables

    settings, given = load_settings(), Variables()
    is_elsewhere = settings.is_duckdb or settings.is_snowflake
    server = {} if is_elsewhere else connection_variables(settings.warehouse_url)
    variables = server | profile_variables(settings)
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
        if given.file(name):  # the next command of insights would find the value in two places
            click.echo(f"unset {name}{SUFFIX}")


@click.command(epilog="Example: insights systemd /usr/local/lib/systemd/system")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--user", default="orgo-insights", show_default=True, help="Account of the services and jobs.")
@click.option(
    "--environment-file",
    type=click.Path(path_type=Path),
    default=Path("/etc/orgo-insights/environment"),
    show_default=True,
    help="File with the variables, NAME=value, one a line.",
)
def systemd(folder: Path, user: str, environment_file: Path) -> None:
    """Write systemd units for a host without Airflow.

    That is the service of `insights api`, that of `insights metrics serve`, and a timer for each job that is enabled in
    INSIGHTS_ENV, at its times in config/insights/dags.yaml. Units of jobs that are no longer enabled are removed from
    the folder. What remains to be done with systemctl is printed.
    """
    from orchestration.config.files import load_settings
    from orchestration.runs.units import TARGET, Host, services, write_units

    program = Path(sys.executable).with_name("insights")
    done = write_units(load_settings(), Host(program, user, environment_file.absolute()), folder)
    for name in done.removed:
        say(f"Removed {name}")
    for name in done.written:
        say(f"Wrote {name}")
    say(f"To start them: systemctl daemon-reload && systemctl enable --now {TARGET}")
    say(f"Services that ran before: systemctl try-restart {' '.join(services())}")
    if timers := [name for name in done.removed if name.endswith(".timer")]:
        say(f"Timers that ran before: systemctl stop {' '.join(timers)}")
