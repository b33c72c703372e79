"""The interface for a service that reports dashboards (docs/dashboards.md); import nothing else of the package there.

    reader = Reader.open(load_settings())     # one for each process
    answer = reader.ask(Asked("overview", organization_id, ["PUBLIC"]), roles)

`Reader.ask` raises the errors below: each is an InsightsError, and orchestration/errors.py has the HTTP status of each.
"""

from __future__ import annotations

from orchestration.cache.answers import Answer
from orchestration.config.files import load_settings
from orchestration.config.settings import Settings
from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.errors import (
    BadInputError,
    BusyError,
    ConflictError,
    FailedError,
    InsightsError,
    MisconfiguredError,
    NotBuiltError,
    NotFoundError,
    NotPreparedError,
    RefusedError,
    TimedOutError,
    UnavailableError,
)

__all__ = [
    "AccessRefusedError",
    "Answer",
    "Asked",
    "BadInputError",
    "BusyError",
    "ConflictError",
    "FailedError",
    "InsightsError",
    "MisconfiguredError",
    "NotBuiltError",
    "NotFoundError",
    "NotPreparedError",
    "Reader",
    "RefusedError",
    "Settings",
    "TimedOutError",
    "UnavailableError",
    "load_settings",
]
