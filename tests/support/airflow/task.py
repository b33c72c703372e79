"""What a step asks of the task that Airflow runs it as."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class Task:
    """A task of New Year's run; `kept` has its XComs by key."""

    start_date, log_url = datetime(2026, 1, 1, 2, tzinfo=UTC), "http://airflow.example.org/log"

    def __init__(self, task_id: str = "step") -> None:
        self.task_id = task_id
        self.kept: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        """Keep a value."""
        self.kept[key] = value

    def context(self) -> Any:
        """Return the context in which its operator is executed."""
        return {"params": {}, "data_interval_end": datetime(2026, 1, 1, tzinfo=UTC), "ti": self}
