"""Which backups are expected, by what is configured here and what was ever made (decisions D230 and D231)."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.backups.recorded import KindOfRun
from orchestration.backups.schedule import Due, schedule
from orchestration.config.settings import Settings

AIRFLOW = "airflow"


def expected(settings: Settings, runs: Mapping[str, KindOfRun]) -> tuple[Due, ...]:
    """Return the part of the schedule that is expected; `runs` are those that were recorded.

    Dumps of Airflow's metadata are expected where their folder is set or one was ever made. The rest is expected where
    `backs_up_server` says so. Attempts that failed say nothing: one by mistake would be expected again for ever.
    """
    has_airflow = settings.backup_airflow_directory is not None or _was_made(runs, AIRFLOW)
    has_server = backs_up_server(settings, runs)
    return tuple(due for due in schedule(settings) if (has_airflow if due.what == AIRFLOW else has_server))


def backs_up_server(settings: Settings, runs: Mapping[str, KindOfRun]) -> bool:
    """Return whether Insights backs up the server of the warehouse.

    It does where a repository is set, and, as seen from other machines, where a backup was ever made.
    """
    return settings.backup_repository is not None or any(_was_made(runs, kind) for kind in runs if kind != AIRFLOW)


def _was_made(runs: Mapping[str, KindOfRun], kind: str) -> bool:
    return kind in runs and runs[kind].newest is not None
