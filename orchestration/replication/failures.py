"""Errors of dlt and of the engines as InsightsError."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.exceptions import MissingDependencyException, SignalReceivedException, TransientException
from dlt.pipeline.exceptions import PipelineStepFailed

from orchestration.errors import FailedError, InsightsError, MisconfiguredError, UnavailableError
from orchestration.replication.target import Target
from orchestration.source_snapshot.parquet_files import BATCH_BYTES

ENGINES = ("dlt", "duckdb", "_duckdb", "snowflake", "google")
NOTHING_LOST = "The next insights replicate reads again from where the last whole one has ended."


def as_insights_error(error: BaseException, target: Target) -> BaseException:
    """Return the error that a caller raises: an InsightsError, or KeyboardInterrupt where dlt was interrupted.

    Any other exception that neither dlt nor the engine has raised is returned as it is.
    """
    causes = list(_causes(error))
    found = filter(None, (_known(cause, target.engine) for cause in causes))
    own = next((cause for cause in causes if isinstance(cause, InsightsError)), None) or next(found, None)
    if own:
        return own
    root = causes[-1]
    says = f"({type(root).__name__}: {_first_line(root)}). {NOTHING_LOST}"
    if isinstance(root, OSError) and type(root).__module__ == "builtins":
        return UnavailableError(f"The copy was interrupted {says}")
    if isinstance(error, PipelineStepFailed) or type(root).__module__.partition(".")[0] in ENGINES:
        is_passing = any(isinstance(cause, TransientException) for cause in causes)
        return (UnavailableError if is_passing else FailedError)(f"The copy to {target} failed {says}")
    return error


def _known(cause: BaseException, engine: str) -> BaseException | None:
    if isinstance(cause, SignalReceivedException | KeyboardInterrupt):
        return KeyboardInterrupt()
    if isinstance(cause, MissingDependencyException):
        return MisconfiguredError(
            f"--to {engine} needs packages that are not installed: pip install 'dlt[{engine}]', in the release of"
            " requirements/replicate.txt."
        )
    if isinstance(cause, ConfigurationException):
        return MisconfiguredError(
            f"dlt lacks what it needs to connect to {engine} ({_first_line(cause)}). Set"
            f" DESTINATION__{engine.upper()}__CREDENTIALS; docs/engines/replicate.md says how."
        )
    if isinstance(cause, pa.ArrowInvalid):
        return FailedError(
            f"A row of the operational tables cannot be copied ({_first_line(cause)}). A row may have at most"
            f" {BATCH_BYTES // 2**20} MB of text. Nothing was written."
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised from, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "exception", None)
        error = error.__cause__ or (inner if isinstance(inner, BaseException) else None) or error.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
