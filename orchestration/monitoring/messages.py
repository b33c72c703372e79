"""Words the messages about runs of DAGs."""

from __future__ import annotations

from datetime import datetime

from orchestration.config.files import Settings
from orchestration.monitoring.outcomes import Ended, Recorded


def message(settings: Settings, ended: Ended, before: Recorded) -> tuple[str, str] | None:
    """Return subject and text about a run: one for each failure, one when the DAG is well again; None otherwise."""
    if not before.is_new:
        return None
    name = f"{ended.dag_id} in {settings.environment}"
    if ended.message:
        since = before.failing_since or ended.ended_at
        return f"Failed: {name}", f"{ended.message}\nRun: {ended.run_id}\nFailing since: {_moment(since)}"
    if before.failing_since:
        text = f"It failed from {_moment(before.failing_since)} to {_moment(ended.ended_at)}.\nRun: {ended.run_id}"
        return f"Well again: {name}", text
    return None


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
