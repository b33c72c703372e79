"""The command `workshop load-incidents`: import a ServiceNow incident audit log."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestration.warehouse.connection import connect
from workshop.incidents import ImportResult, import_incidents


@click.command("load-incidents")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--database-url",
    envvar="INSIGHTS_OPERATIONAL_URL",
    help="URL of the operational database. Default: the PG* variables. [env: INSIGHTS_OPERATIONAL_URL]",
)
@click.option("--schema", default="public", show_default=True, help="Schema of the operational tables.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the rejected rows (csv). Default: FILE's name with .rejected.csv, in this folder.",
)
def load_incidents(file: Path, database_url: str | None, schema: str, report: Path | None) -> None:
    """Import a ServiceNow incident log into a database.

    FILE is an incident audit log (csv, or a zip of one). The import into the operational tables is one transaction. A
    second import of the same file changes nothing; a newer log updates existing incidents. Rejected rows are written
    to the report and do not make the command fail.

    Example: workshop load-incidents incident_event_log.zip --database-url postgresql:///orgo
    """
    report = report or Path(f"{file.stem}.rejected.csv")
    try:
        with connect(database_url) as connection:
            result = import_incidents(connection, file, report=report, schema=schema, progress=_show_progress)
    finally:
        _show_on_terminal("")
    click.echo(_table(result))
    click.echo(_summary(result, report))


def _show_progress(step: str, share: float) -> None:
    _show_on_terminal(f"{step} {share:4.0%}")


def _show_on_terminal(line: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{line}", nl=False, err=True)


def _table(result: ImportResult) -> str:
    lines = [f"{'table':<24}{'loaded':>10}{'merged':>10}{'rejected':>10}"]
    for name, count in result.tables.items():
        lines.append(f"{name:<24}{count.loaded:>10}{count.merged:>10}{count.rejected:>10}")
    return "\n".join(lines)


def _summary(result: ImportResult, report: Path) -> str:
    events = result.tables["task_events"]
    lines = [
        f"{result.rows} rows of the file: {events.loaded} loaded, {events.merged} merged, {events.rejected} rejected",
        f"Rejected rows, with line and reason: {report}",
    ]
    if result.revised_events:
        lines.append(f"{result.revised_events} events of earlier imports changed: new rows come before them.")
    if result.ignored_columns:
        lines.append(f"Columns of the file that were ignored: {', '.join(result.ignored_columns)}")
    return "\n".join(lines)
