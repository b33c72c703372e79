"""`insights backup`: configure, make, check and try backups of the warehouse and of Airflow's metadata."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.progress import progress
from orchestration.cli.sections import Group
from orchestration.cli.show import NEEDS_ATTENTION
from orchestration.cli.tables import show_records
from orchestration.cli.texts import moment, say, warn

if TYPE_CHECKING:
    from orchestration.backups.configure import Configuration
    from orchestration.backups.recorded import Drill
    from orchestration.config.settings import Settings

TARGET = click.DateTime(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"])


def _kinds() -> tuple[str, ...]:
    from orchestration.backups.schedule import KINDS

    return KINDS


@click.group(cls=Group)
def backup() -> None:
    """Back up the warehouse and Airflow's metadata, and try it.

    The commands run on the server of the warehouse, as the account of PostgreSQL or as root; check runs anywhere.
    """


@backup.command(epilog="Example: insights backup configure --yes")
@options.admin_url
@click.option("--yes", is_flag=True, help="Write the files; without it they are only printed.")
@options.form
def configure(admin_url: str | None, yes: bool, form: str) -> None:
    """Write the files for pgBackRest, PostgreSQL and cron.

    They follow insights.backups and the environment, and go to insights.backups.directory. Secrets are written and
    never printed. The rows are the settings of PostgreSQL: as they are, as they must be, and what a change needs.
    """
    from orchestration.backups.configure import masked, plan, write
    from orchestration.warehouse.connection import open_session
    from orchestration.warehouse.database import Database

    settings = _settings()
    with open_session(admin_url, autocommit=True) as connection:
        planned = plan(settings, Database(settings, connection))
    if yes:
        write(planned)
    elif form == "table":
        for path, text in planned.files.items():
            say(f"{path}:", bold=True)
            for line in masked(text).splitlines():
                say(f"  {line}")
    show_records([asdict(setting) for setting in planned.settings], form, title="Settings of PostgreSQL")
    _say_next(planned, has_written=yes)


@backup.command(name="run", epilog="Example: insights backup run full")
@click.argument("kind", type=options.LateChoice(_kinds))
@options.form
def run_one(kind: str, form: str) -> None:
    """Make a full or incremental backup, or a dump of Airflow.

    KIND is full, incremental or airflow. A first incremental backup is a full one. The result is kept in
    insights_ops.backup_runs.
    """
    from orchestration.backups.run import run

    settings = _settings()
    with progress(f"backup {kind}") as show:
        made = run(settings, kind, show)  # type: ignore[arg-type]  # one of the choices
    show_records([{"kind": made.kind, "label": made.label, "bytes": made.byte_count}], form)


@backup.command(epilog="Example: insights backup check --format json")
@options.form
def check(form: str) -> None:
    """Compare backups and the archive with what must be.

    That is the RPO, the schedule of the environment, the archiver, the repository, and the latest drill. The exit code
    is 3 if something needs attention or is broken, else 0.
    """
    from orchestration.backups.check import check as examine
    from orchestration.warehouse.database import Database

    with Database.open(_settings()) as db:
        found = list(examine(db))
    show_records([asdict(finding) for finding in found], form)
    sys.exit(NEEDS_ATTENTION if any(finding.state != "ok" for finding in found) else 0)


@backup.command(epilog="Example: insights backup drill --target '2026-01-31 02:00'")
@click.option("--target", type=TARGET, help="UTC time to restore to. Default: all that is archived.")
@click.option(
    "--scratch",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Folder with room for the server. Default: insights.backups.directory.",
)
@options.form
def drill(target: datetime | None, scratch: Path | None, form: str) -> None:
    """Restore a backup to a scratch folder, and test it.

    What was purged, erased or delivered since is applied again, the data tests run, and rows are compared. The measured
    RPO and RTO are kept in insights_ops.backup_drills. The exit code is 1 if something failed or took longer than
    insights.backups.rto_minutes. While a load runs, the default is the time before it.
    """
    from orchestration.backups.drill import drill as run_drill
    from orchestration.supervision import stopping_raises

    settings = _settings()
    with stopping_raises(), progress("drill") as show:  # so that the server is stopped and its folder removed
        tried = run_drill(settings, target.replace(tzinfo=UTC) if target else None, scratch, show)
    show_records([_record(tried)], form, title="Drill")
    if tried.failure:
        warn(f"the drill failed: {tried.failure}")
        sys.exit(1)


@backup.command(epilog="Example: insights backup ledger > ledger.json")
def ledger() -> None:
    """Print what must not come back with an older state.

    It is a JSON document of cutoffs of purges, ids of deleted persons, and ids of delivered review cases with what Core
    Services answered. Take it before a restore, while the warehouse still answers.
    """
    from orchestration.backups.ledger import read_ledger
    from orchestration.warehouse.database import Database

    with Database.open(_settings()) as db:
        click.echo(read_ledger(db).to_json())


@backup.command(epilog="Example: insights backup reapply ledger.json")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.form
def reapply(file: Path, form: str) -> None:
    """Remove from a restored warehouse what must stay away.

    FILE is from insights backup ledger. Run it before the first load after a restore.
    """
    from orchestration.backups.ledger import parse_ledger
    from orchestration.backups.ledger import reapply as apply_again
    from orchestration.warehouse.database import Database

    known = parse_ledger(file.read_bytes())
    with Database.open(_settings()) as db:
        show_records([asdict(apply_again(db, known))], form)


def _settings() -> Settings:
    from orchestration.config.files import load_warehouse_settings

    return load_warehouse_settings(
        "backups are those of a warehouse in PostgreSQL. A file is built again from its snapshot, and what insights"
        " publish has copied is copied again; of the serving database, pg_dump keeps the schema insights_ops."
    )


def _say_next(planned: Configuration, *, has_written: bool) -> None:
    if not has_written:
        say("Nothing was written. Add --yes to write the files.", err=True)
        return
    say(f"Written to {planned.directory}: {', '.join(path.name for path in planned.files)}.", err=True)
    if not planned.is_encrypted:
        warn("backups are not encrypted: set INSIGHTS_BACKUP_KEY before the first one.")
    if planned.changes:
        needs = "restart" if any(change.takes_effect == "restart" for change in planned.changes) else "reload"
        say(f"Include {planned.directory}/postgresql.conf in postgresql.conf and {needs} PostgreSQL.", err=True)
    say("Then run: insights backup run full", err=True)


def _record(tried: Drill) -> dict[str, object]:
    steps = {f"{name}_seconds": seconds for name, seconds in tried.step_seconds.items()}
    return {
        "target": moment(tried.target) if tried.target else "all that is archived",
        "restored_until": tried.restored_until,
        "rpo_seconds": tried.rpo_seconds,
        "rto_seconds": round(tried.rto_seconds, 1),
        **steps,
        "relations_compared": tried.relations_compared,
        "failure": tried.failure,
    }
