"""`insights status` and `insights docs`: the state of the warehouse, and its documentation."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.operate.serving import show_serving
from orchestration.cli.tables import show_table, write_json, write_records
from orchestration.cli.texts import moment, say, say_wrapped, warn

if TYPE_CHECKING:
    from orchestration.warehouse.status import Status

NEEDS_ATTENTION = 3  # exit code, of `insights doctor` too; 1 is an error and 2 a wrong argument

COUNTED = ("relation", "finding", "rows")
FINDING = ("kind", "name", "state", "rows", "data_before", "at")


@click.command(epilog="Example: insights status --format json")
@options.form
def status(form: str) -> None:
    """Show late marts, failed tests and rejected rows.

    In a warehouse, it shows late marts, failed tests, rejected rows and drift.

    A mart is late if its DAG is scheduled in this environment and the load is overdue by more than
    insights.etl.late_after_minutes. Drift is where the operational database differs from the source contract.
    Operational rows that are out of retention, which no load takes in, are counted too.
    In CSV, each mart, failed test and finding is one line with its kind, name, state, rows and date.
    Of a serving database, it shows what insights publish has copied, when, and from which load; its data is late after
    insights.warehouse.publication_late_hours.
    The exit code is 3 if a mart or what is published is late, the newest run of a test failed, or a published relation
    has other rows; 1 if the state cannot be read, else 0.
    """
    from orchestration.config.files import load_server_settings
    from orchestration.manifest import scheduled_marts
    from orchestration.warehouse.database import Database
    from orchestration.warehouse.publications import is_serving, read_serving_status
    from orchestration.warehouse.status import read_status

    settings = load_server_settings()
    with Database.open(settings) as db:
        if is_serving(db):
            sys.exit(0 if show_serving(read_serving_status(db), form) else NEEDS_ATTENTION)
        found = read_status(db, scheduled_marts(settings))
    if form == "json":
        write_json(asdict(found) | {"is_in_order": found.is_in_order, "late": found.late})
    elif form == "csv":
        write_records(_findings(found), form)
    else:
        print_status(found)
    sys.exit(0 if found.is_in_order else NEEDS_ATTENTION)


@click.command(epilog="Example: insights docs")
def docs() -> None:
    """Write lineage and descriptions to one HTML page.

    The page is target/static_index.html.
    """
    from orchestration import dbt
    from orchestration.config.files import load_settings

    settings = load_settings()
    result = dbt.run(settings, ["docs", "generate", "--static", "--quiet"], url=settings.build_url)
    if result.exit_code == 0:
        say(f"Open in a browser: {result.target / 'static_index.html'}")
    sys.exit(result.exit_code)


def print_status(found: Status) -> None:
    """Print the state of the warehouse as short tables; what needs attention goes to standard error too."""
    late = {True: "late", False: "no", None: "-"}
    show_table(
        ((m.name, m.rows, m.data_up_to, m.loaded_at, late[m.is_late]) for m in found.marts),
        header=("mart", "rows", "data before (UTC)", "loaded (UTC)", "late"),
        title=f"Marts in {found.environment}, {moment(found.read_at)}",
    )
    _print_tests(found)
    if found.source_error:
        say(f"source cannot be read: {found.source_error}")
    if any(behind for _, _, behind in found.behind):
        title = f"Out of retention: operational rows from before the cutoff {found.cutoff}"
        show_table(found.behind, header=("table", "rows", "before the cutoff"), title=title)
    if found.rejected:
        show_table(found.rejected, header=COUNTED, title="Rejected (insights_ops.rejects)")
    if found.flagged:
        title = "Flagged: loaded although the source is wrong (insights_ops.data_quality)"
        show_table(found.flagged, header=COUNTED, title=title)
    if found.drift:
        title = "Where the operational database differs from the contract (insights_ops.source_drift)"
        header = ("column", "drift", "type", "rows left out")
        rows = ((column, drift, actual or "", repeated or "") for column, drift, actual, repeated in found.drift)
        show_table(rows, header=header, title=title)
    if found.late:
        warn(f"late: {', '.join(found.late)}")
    if found.tests.failed:
        warn(f"failed tests: {len(found.tests.failed)}")


def _print_tests(found: Status) -> None:
    tests = found.tests
    if tests.logged_at is None:
        say_wrapped("No data test has run here since the table insights_ops.test_results exists.")
        return
    whole = (
        f"each passed over all rows since {moment(tests.recounted_at)}"
        if tests.recounted_at
        else "not all over all rows"
    )
    run = f"{tests.count} data tests, the latest {moment(tests.logged_at)} ({whole})"
    say_wrapped(f"{run}: {len(tests.failed)} failed.")
    for title, rows in (("Failed tests", tests.failed), ("Warnings", tests.warned)):
        if rows:
            show_table(rows, header=("test", "rows", "when (UTC)"), title=f"{title} (insights_ops.test_results)")


def _findings(found: Status) -> list[dict[str, object]]:
    """Return each mart, failed test and finding as one record, for scripts that watch a list."""
    state = {True: "late", False: "in time", None: "not scheduled"}
    lines: list[tuple[object, ...]] = [
        ("mart", m.name, state[m.is_late], m.rows, m.data_up_to, m.loaded_at) for m in found.marts
    ]
    lines += [("test", name, "failed", rows, None, at) for name, rows, at in found.tests.failed]
    lines += [("test", name, "warning", rows, None, at) for name, rows, at in found.tests.warned]
    lines += [("rejected", name, finding, rows, None, None) for name, finding, rows in found.rejected]
    lines += [("flagged", name, finding, rows, None, None) for name, finding, rows in found.flagged]
    lines += [("drift", name, drift, repeated, None, None) for name, drift, _, repeated in found.drift]
    lines += [("out of retention", name, "", before, found.cutoff, None) for name, _, before in found.behind]
    lines += [("source", "", found.source_error, None, None, None)] if found.source_error else []
    return [dict(zip(FINDING, line, strict=True)) for line in lines]
