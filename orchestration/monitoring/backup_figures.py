"""The figures of the exporter about backups (specification, section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import Metric

from orchestration.backups.archive import Archive, read_archive
from orchestration.backups.expected import AIRFLOW, backs_up_server, expected
from orchestration.backups.recorded import KindOfRun, newest_drill, newest_runs
from orchestration.backups.schedule import DRILL
from orchestration.config.settings import Settings
from orchestration.monitoring.families import metric
from orchestration.warehouse.database import Database

MINUTE = 60
KIND = ("kind",)


def backups(db: Database) -> list[Metric]:
    """Return what is known of backups, archiving and the latest drill, in seconds.

    Only what is expected is late, because somebody else may make the backups of the server.
    """
    archive, runs, drill = read_archive(db), newest_runs(db), newest_drill(db)
    rules, environment = db.settings.insights.backups, db.settings.environment
    due = [one for one in expected(db.settings, runs) if one.what != DRILL]
    ends = [(kind, run.newest) for kind, run in runs.items()]
    known = {kind: run.newest for kind, run in runs.items()}
    late = [(one.what, (end := known.get(one.what)) is None or archive.read_at - end > one.late_after) for one in due]
    rpo, rto = rules.rpo_minutes.of(environment) * MINUTE, rules.rto_minutes.of(environment) * MINUTE
    return [
        metric(
            "insights_backup_timestamp_seconds",
            "When the newest backup ended, in seconds since 1970 UTC.",
            KIND,
            [(kind, end.timestamp()) for kind, end in ends if end],
        ),
        metric("insights_backup_is_late", "Whether a backup of the schedule is overdue.", KIND, late),
        metric(
            "insights_backup_failures",
            "Backups that failed.",
            KIND,
            [(kind, run.failures) for kind, run in runs.items()],
            is_counter=True,
        ),
        metric(
            "insights_backup_unarchived_seconds",
            "Age of the oldest change that is not archived; without archiving, of the newest backup.",
            (),
            [(seconds,) for seconds in _lost(db.settings, archive, runs)],
        ),
        metric(
            "insights_backup_archive_failures",
            "Failures of the archiver since its statistics were reset.",
            (),
            [(archive.failures,)],
            is_counter=True,
        ),
        metric("insights_backup_rpo_seconds", "backups.rpo_minutes, in seconds.", (), [(rpo,)]),
        metric("insights_backup_rto_seconds", "backups.rto_minutes, in seconds.", (), [(rto,)]),
        metric(
            "insights_backup_drill_timestamp_seconds",
            "When the latest drill began, in seconds since 1970 UTC.",
            (),
            [(drill.started_at.timestamp(),)] if drill else [],
        ),
        metric(
            "insights_backup_drill_succeeded",
            "Whether the latest drill succeeded.",
            (),
            [(drill.failure is None,)] if drill else [],
        ),
        metric(
            "insights_backup_drill_rpo_seconds",
            "What a loss of the server would have lost when the latest drill began.",
            (),
            [(drill.rpo_seconds,)] if drill and drill.rpo_seconds is not None else [],
        ),
        metric(
            "insights_backup_drill_rto_seconds",
            "How long the latest drill took until the restored warehouse was tested.",
            (),
            [(drill.rto_seconds,)] if drill else [],
        ),
    ]


def _lost(settings: Settings, archive: Archive, runs: Mapping[str, KindOfRun]) -> list[float]:
    """Return the seconds of changes that a loss of the server would lose; none where others back it up.

    Without archiving, only what the newest backup has is safe. If there is none, the schedule says that it is late.
    """
    if archive.is_on:
        return [archive.unarchived_seconds()]
    ends = [run.newest for kind, run in runs.items() if kind != AIRFLOW and run.newest]
    return [(archive.read_at - max(ends)).total_seconds()] if ends and backs_up_server(settings, runs) else []
