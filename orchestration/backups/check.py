"""Compares backups with the schedule and the RPO, and says what to do (specification, section 2.2; decision D232)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.backups.archive import Archive, read_archive
from orchestration.backups.expected import AIRFLOW, backs_up_server, expected
from orchestration.backups.program import CONFIGURATION, PgBackRest
from orchestration.backups.recorded import Drill, KindOfRun, newest_drill, newest_runs
from orchestration.backups.schedule import DRILL, Due, schedule
from orchestration.config.settings import Settings
from orchestration.config.variables import BACKUP_AIRFLOW_DIR
from orchestration.errors import InsightsError
from orchestration.monitoring.findings import Finding, judged
from orchestration.warehouse.database import Database

MINUTE = 60


def check(db: Database, now: datetime | None = None) -> Iterator[Finding]:
    """Yield a finding for archiving, each kind of backup, the repository and the latest drill, by a clock.

    `now` is the time to judge by, by default that of the database. The repository is looked at where this user may read
    the configuration that `insights backup configure` has written. Raises NotPreparedError without `insights init`.
    """
    settings = db.settings
    archive = read_archive(db)
    runs, drill = newest_runs(db), newest_drill(db)
    now = now or archive.read_at
    has_server, wanted = backs_up_server(settings, runs), expected(settings, runs)
    if has_server:
        yield from _archiving(settings, archive, now)
    else:
        yield _not_configured(settings)
    for due in wanted:
        yield _drilled(due, drill, now) if due.what == DRILL else _made(due, runs.get(due.what), now)
    if has_server and AIRFLOW in {due.what for due in schedule(settings)} - {due.what for due in wanted}:
        yield Finding(AIRFLOW, "ok", f"not expected: {BACKUP_AIRFLOW_DIR} is not set here, and none was ever made")
    if has_server:
        yield _repository(settings)


def summary(db: Database) -> Iterator[Finding]:
    """Yield one finding about all backups, for `insights doctor`."""
    found = list(check(db))
    worst = [finding for finding in found if finding.state == "broken"] or [f for f in found if f.state != "ok"]
    if worst:
        says = "; ".join(f"{finding.check}: {finding.says}" for finding in worst)
        yield Finding("backups", worst[0].state, says, worst[0].remedy)
    else:
        yield Finding("backups", "ok", "; ".join(f"{finding.check}: {finding.says}" for finding in found))


def _not_configured(settings: Settings) -> Finding:
    says = "Insights makes none here (insights.backups.repository is not set)"
    return judged(
        "backups",
        not [due for due in schedule(settings) if due.what == DRILL],
        says,
        "Run: insights backup configure. If others back up this server, see docs/operations/backups.md.",
    )


def _archiving(settings: Settings, archive: Archive, now: datetime) -> Iterator[Finding]:
    rpo = settings.insights.backups.rpo_minutes.of(settings.environment)
    if not archive.is_on:
        yield Finding(
            "archiving", "broken", "archive_mode is off: changes are safe in backups only", "insights backup configure"
        )
        return
    lost = archive.unarchived_seconds(now)
    says = f"a loss of the server loses {_minutes(lost)} of changes, {rpo} are allowed (backups.rpo_minutes)"
    remedy = "Look at PostgreSQL's log for archive_command, and at room in the repository."
    yield judged("data loss", lost <= rpo * MINUTE, says, remedy, "broken")
    failing = archive.failed_at is not None
    says = f"failing since {_moment(archive.newest)}" if failing else f"newest segment {_moment(archive.newest)}"
    yield judged("archiver", not failing, f"{says}; {archive.failures} failures since statistics were reset", remedy)
    timeout = archive.timeout_seconds
    remedy = "Run: insights backup configure, and include its postgresql.conf"
    says = f"{timeout} s" if timeout else "off: a segment is archived when it is full"
    yield judged("archive_timeout", 0 < timeout <= rpo * MINUTE, says, remedy)


def _made(due: Due, known: KindOfRun | None, now: datetime) -> Finding:
    newest = known.newest if known else None
    if newest is None:
        why = f"; the last attempt failed: {_first_line(known.failure)}" if known and known.failure else ""
        return Finding(due.what, "broken", f"none was made{why}", f"Run: {due.command}")
    says = f"the newest ended at {_moment(newest)}, {_hours((now - newest).total_seconds())} ago"
    if known and known.failure:
        says += f"; the last attempt failed: {_first_line(known.failure)}"
    is_right = now - newest <= due.late_after and not (known and known.failure)
    return judged(due.what, is_right, says, f"Run: {due.command}")


def _drilled(due: Due, drill: Drill | None, now: datetime) -> Finding:
    if drill is None:
        return Finding(due.what, "attention", "no backup was ever restored", f"Run: {due.command}")
    measured = f"in {_minutes(drill.rto_seconds)}" if drill.failure is None else _first_line(drill.failure)
    says = f"{'restored' if drill.failure is None else 'failed'} at {_moment(drill.started_at)}: {measured}"
    is_right = drill.failure is None and now - drill.started_at <= due.late_after
    return judged(due.what, is_right, says, f"Run: {due.command}", "broken" if drill.failure else "attention")


def _repository(settings: Settings) -> Finding:
    configuration = Path(settings.insights.backups.directory) / CONFIGURATION
    # It is closed to all but the account of PostgreSQL, and other machines do not have it.
    if not os.access(configuration, os.R_OK, effective_ids=True):
        return Finding("repository", "ok", f"not looked at: user {os.geteuid()} can read no {configuration} here")
    try:
        stanza = PgBackRest.of(settings).info()
    except InsightsError as error:
        return Finding("repository", "broken", _first_line(str(error)), "Run: insights backup configure")
    status, backups = stanza["status"], stanza.get("backup", [])
    wrong = [backup["label"] for backup in backups if backup.get("error")]
    if status["code"] != 0 or not backups:
        return Finding("repository", "broken", status["message"], "Run: insights backup run full")
    if wrong:
        return Finding("repository", "broken", f"wrong checksums in {', '.join(wrong)}", "Look at the server's disk.")
    return Finding("repository", "ok", _contents(backups))


def _contents(backups: list[dict[str, Any]]) -> str:
    full = sum(backup["type"] == "full" for backup in backups)
    return f"{full} full and {len(backups) - full} incremental backups, the newest is {backups[-1]['label']}"


def _first_line(text: str | None) -> str:
    lines = (text or "").splitlines()
    return " ".join(lines[:2])


def _minutes(seconds: float) -> str:
    return f"{seconds / MINUTE:.1f} min"


def _hours(seconds: float) -> str:
    return f"{seconds / MINUTE / MINUTE:.1f} h"


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
