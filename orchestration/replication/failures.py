"""Errors of dlt and of the engines as InsightsError.

Their texts may quote values of rows, which belong neither in a message nor in the audit: of such an error only its
class and the table are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import MissingDependencyException, SignalReceivedException, TransientException
from dlt.pipeline.exceptions import PipelineStepFailed

from orchestration.errors import FailedError, InsightsError, MisconfiguredError, UnavailableError
from orchestration.replication.target import Target
from orchestration.source_snapshot.parquet_files import unreadable
from orchestration.warehouse.translation import first_line

ENGINES = ("dlt", "duckdb", "_duckdb", "snowflake")
INNER = ("exception", "client_exception", "dbapi_exception")  # where dlt keeps what it has caught
NOTHING_LOST = "The next insights replicate reads again from where the last whole one has ended."


def as_insights_error(error: BaseException, target: Target) -> BaseException:
    """Return the error that a caller raises: an InsightsError, or KeyboardInterrupt where dlt was interrupted.

    Any other exception that neither dlt nor the engine has raised is returned as it is.
    """
    causes = list(_causes(error))
    found = filter(None, (_known(cause, target.engine, _table(causes)) for cause in causes))
    own = next((cause for cause in causes if isinstance(cause, InsightsError)), None) or next(found, None)
    if own:
        return own
    root = causes[-1]
    of = f", table {table}" if (table := _table(causes)) else ""
    says = f"({type(root).__name__}{of}{_text(root)}). {NOTHING_LOST}"
    if isinstance(root, OSError) and type(root).__module__ == "builtins":
        return UnavailableError(f"The copy was interrupted {says}")
    if isinstance(error, PipelineStepFailed) or type(root).__module__.partition(".")[0] in ENGINES:
        is_passing = any(isinstance(cause, TransientException) for cause in causes)
        return (UnavailableError if is_passing else FailedError)(f"The copy to {target} failed {says}")
    return error


def _known(cause: BaseException, engine: str, table: str | None) -> BaseException | None:
    if isinstance(cause, SignalReceivedException | KeyboardInterrupt):
        return KeyboardInterrupt()
    if isinstance(cause, MissingDependencyException):
        return MisconfiguredError(
            f"--to {engine} needs packages that are not installed: pip install 'dlt[{engine}]', in the release of"
            " requirements/replicate.txt."
        )
    if isinstance(cause, ConfigurationException):
        return MisconfiguredError(
            f"dlt lacks what it needs to connect to {engine} ({first_line(cause)}). Set"
            f" DESTINATION__{engine.upper()}__CREDENTIALS; docs/engines/replicate.md says how."
        )
    if isinstance(cause, pa.ArrowInvalid):
        return FailedError(f"{unreadable(cause, table)} Nothing was written.")
    return None


def _text(root: BaseException) -> str:
    """Return what an error says, if it is one of operation (PEP 249): others, of data, may quote values of rows."""
    is_safe = isinstance(root, OSError) or any(kind.__name__ == "OperationalError" for kind in type(root).__mro__)
    return f": {first_line(root)}" if is_safe else ""


def _table(causes: Sequence[BaseException]) -> str | None:
    """Return the table that was read or loaded when an error occurred, as dlt's exceptions name it."""
    for cause in causes:
        if name := getattr(cause, "pipe_name", None):
            return str(name)
        if job := getattr(cause, "job_id", None):
            return str(job).partition(".")[0]
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = (getattr(error, name, None) for name in INNER)
        error = error.__cause__ or next((e for e in inner if isinstance(e, BaseException)), None) or error.__context__
