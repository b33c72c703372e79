"""The command `workshop load-incidents`: import a ServiceNow incident audit log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli.options import SecretOption
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_table
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from workshop.incidents import ImportResult
    from workshop.incidents.columns import DateFormat


@click.command("load-incidents")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--database-url",
    cls=SecretOption,
    envvar="INSIGHTS_OPERATIONAL_URL",
    help="URL of the operational database. Default: the PG* variables. [env: INSIGHTS_OPERATIONAL_URL]",
)
@click.option("--schema", default="public", show_default=True, help="Schema of the operational tables.")
@click.option(
    "--date-format",
    type=click.Choice(["day-first", "month-first"]),
    help="Order of day and month. Default: what the dates of the file decide.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the rejected rows (csv). Default: FILE's name with .rejected.csv, in this folder.",
)
def load_incidents(
    file: Path, database_url: str | None, schema: str, date_format: DateFormat | None, report: Path | None
) -> None:
    """Import a ServiceNow incident log into a database.

    FILE is an incident audit log (csv, or a zip of one). The import into the operational tables is one transaction. A
    second import of the same file changes nothing; a newer log updates existing incidents. Rejected rows are written
    to the report; the command fails if it rejects every row. It writes nothing if the dates do not decide whether the
    day or the month comes first; --date-format then does.

    Example: workshop load-incidents incident_event_log.zip --database-url postgresql:///orgo
    """
    from orchestration.warehouse.connection import connect
    from workshop.incidents import import_incidents
    from workshop.incidents.errors import IncidentFileError

    report = report or Path(f"{file.stem}.rejected.csv")
    with progress("importing") as show, connect(database_url) as connection:
        result = import_incidents(
            connection,
            file,
            report=report,
            schema=schema,
            dates=date_format,
            progress=lambda step, share: show(int(100 * share), 100, step),
        )
    show_table(
        ((name, count.loaded, count.merged, count.rejected) for name, count in result.tables.items()),
        header=("table", "loaded", "merged", "rejected"),
    )
    for line in _summary(result, report):
        say(line)
    if result.tables["task_events"].rejected == result.rows:
        raise IncidentFileError(f"no row of {file.name} was imported; {report} says for each row what would be right")


def _summary(result: ImportResult, report: Path) -> Iterator[str]:
    events = result.tables["task_events"]
    yield f"{result.rows} rows of the file: {events.loaded} loaded, {events.merged} merged, {events.rejected} rejected"
    yield f"Rejected rows, with line and reason: {report}"
    if result.revised_events:
        yield f"{result.revised_events} events of earlier imports changed: new rows come before them."
    if result.ignored_columns:
        yield f"Columns of the file that were ignored: {', '.join(result.ignored_columns)}"
