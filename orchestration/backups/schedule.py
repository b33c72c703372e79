"""What is backed up how often in each environment (specification, section 2.2; decision D230)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from orchestration.config.settings import Settings
from orchestration.config.tokens import Environment

Kind = Literal["full", "incremental", "airflow"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DRILL = "drill"


@dataclass(frozen=True)
class Due:
    """Something that is started on a schedule: the command, when cron starts it, and the time between two.

    `cron` is five fields in the time zone of the machine.
    """

    what: str
    command: str
    cron: str
    every: timedelta

    @property
    def late_after(self) -> timedelta:
        """The age at which the newest one is late: a quarter more than the period, and at least an hour more."""
        return self.every + max(self.every / 4, timedelta(hours=1))


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_FULL = Due("full", "insights backup run full", "30 0 * * *", _DAY)
# Not in the hour of the full backup: pgBackRest makes one at a time.
_INCREMENTAL = Due("incremental", "insights backup run incremental", "30 1-23 * * *", _HOUR)
_AIRFLOW_DAILY = Due("airflow", "insights backup run airflow", "45 0 * * *", _DAY)
_AIRFLOW_OFTEN = Due("airflow", "insights backup run airflow", "45 */4 * * *", 4 * _HOUR)
_DRILL = Due(DRILL, "insights backup drill", "15 6 1 * *", 31 * _DAY)
SCHEDULES: dict[Environment, tuple[Due, ...]] = {
    "dev": (_FULL,),
    "staging": (_FULL, _AIRFLOW_DAILY, _DRILL),
    "prod": (_FULL, _INCREMENTAL, _AIRFLOW_OFTEN, _DRILL),
    "offline": (),
}


def schedule(settings: Settings) -> tuple[Due, ...]:
    """Return what is started by itself in the environment; nothing in `offline`."""
    return SCHEDULES[settings.environment]


def crontab(settings: Settings, wanted: Sequence[Due], account: str, environment_file: str) -> Iterator[str]:
    """Yield the lines of a file for /etc/cron.d that starts what is wanted, a part of the schedule.

    A file with the variables of Insights is read before each command.
    """
    yield f"# Backups of Orgo Insights in {settings.environment}, as section 2.2 of the specification says."
    yield f"# {environment_file} sets INSIGHTS_ENV, INSIGHTS_WAREHOUSE_URL, PATH and the variables of insights backup."
    yield "SHELL=/bin/sh"
    if not wanted:
        yield f"# Nothing is automatic in {settings.environment}: insights backup run full makes a backup by hand."
    for due in wanted:
        yield f"{due.cron} {account} set -a; . {environment_file}; {due.command}"
