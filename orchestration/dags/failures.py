"""What a step does with each kind of error (orchestration/errors.py): only a transient one is worth a retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.dags.airflow_versions import AirflowFailException
from orchestration.errors import InsightsError


@contextmanager
def failing_at_once() -> Iterator[None]:
    """Fail the task without a retry on an InsightsError that is not transient; it decorates `execute` too."""
    try:
        yield
    except InsightsError as error:
        if error.is_transient:
            raise
        raise AirflowFailException(str(error)) from error
