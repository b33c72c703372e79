"""`insights publish`: copy a file of DuckDB to the PostgreSQL from which dashboards and exports are served."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.publishing.publish import PublishReport


@click.command(epilog="Example: insights build && insights publish")
@click.option("--yes", is_flag=True, help="Delete reviews and months that a file built anew no longer has.")
@options.form
def publish(yes: bool, form: str) -> None:
    """Copy a file of DuckDB to the database that serves it.

    That is the PostgreSQL of INSIGHTS_SERVING_URL, which insights init has prepared. Dashboards, exports and the other
    exposures decide which relations are copied. Readers see the former load or the new one, whole. What has not
    changed since the last time is not copied again. A file that was built anew and lacks reviews or months which are
    served is refused without --yes.
    """
    from orchestration.config.files import load_settings
    from orchestration.errors import MisconfiguredError

    try:
        from orchestration.publishing.publish import publish as run
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"insights publish needs {error.name}, which is not installed: pip install -r requirements/duckdb.txt (the"
            " dependency group duckdb)."
        ) from error
    with progress("rows") as show:
        done = run(load_settings(), show, accept_lost=yes)
    show_records([asdict(relation) for relation in done.relations], form, title="Relations")
    _say(done)


def _say(done: PublishReport) -> None:
    for name in done.emptied:
        say(f"{name} is no longer published: its rows were deleted.", err=True)
    if done.number is None:
        say(f"Nothing has changed since the publication of {done.last}.", err=True)
        return
    changed = sum(relation.copied > 0 or relation.written > 0 for relation in done.relations)
    rows = sum(relation.written for relation in done.relations)
    say(
        f"Publication {done.number} of {done.whose}, changes up to {done.through}: {changed} of {len(done.relations)}"
        f" relations copied, {rows:,} rows written, {done.loads} loads.",
        err=True,
    )
