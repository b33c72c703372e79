"""The errors of Orgo Insights, one class for each way in which a caller can react.

    InsightsError              who acts    does waiting help?   HTTP status
    |- BadInputError           client      no                   400
    |- RefusedError            operator    no                   403
    |  `- AccessRefusedError   client      no                   403 (orchestration.dashboards.access)
    |- TokenError              client      no                   401 (orchestration.api.tokens)
    |- TooManyRequestsError    client      yes                  429 (orchestration.api.limits)
    |- NotFoundError           client      no                   404
    |- ConflictError           client      no                   409
    |  `- BusyError            client      yes                  409
    |- FailedError             operator    no                   500
    |- MisconfiguredError      operator    no                   500
    |- NotPreparedError        operator    no                   503
    |- NotBuiltError           operator    no                   503
    `- UnavailableError        operator    yes                  503
       |- OverloadedError      operator    yes                  503 (orchestration.api.workers)
       `- TimedOutError        operator    yes                  504

The message says what is wrong, where, and what to do. The class says who can fix it (`fixed_by`), and whether the same
call can succeed later without any change (`is_transient`). InsightsError itself is never raised.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

Actor = Literal["client", "operator"]


class InsightsError(Exception):
    """Base of every error that a client or an operator can fix; any other exception is a defect of this package."""

    fixed_by: ClassVar[Actor] = "operator"
    is_transient: ClassVar[bool] = False

    def extended(self, sentence: str) -> Self:
        """Return the same kind of error with another sentence at the end of its message."""
        return type(self)(f"{self} {sentence}")


class BadInputError(InsightsError):
    """The request is invalid, whatever the database holds: a wrong option, parameter, date, format or name."""

    fixed_by = "client"


class NotFoundError(InsightsError):
    """An object of the request does not exist: an organization, user, dashboard, export, pattern or case."""

    fixed_by = "client"


class RefusedError(InsightsError):
    """A privilege or a policy forbids the request; the message names the role or the rule."""


class ConflictError(InsightsError):
    """The request conflicts with an existing object: a file of that name, a second organization with that slug."""

    fixed_by = "client"


class BusyError(ConflictError):
    """Another process holds a lock: the writer lock, an export slot, or rows. It will be released."""

    is_transient = True


class MisconfiguredError(InsightsError):
    """A file, a variable, a declaration or the installation is wrong: fix it and run the command again."""


class NotPreparedError(InsightsError):
    """The database lacks schemas, roles or helper objects of this release: run `insights init`."""


class NotBuiltError(InsightsError):
    """A mart does not exist, was never loaded, or is of another release: run `insights build`."""


class UnavailableError(InsightsError):
    """The database, the cache or another service does not respond, or not in time."""

    is_transient = True


class TimedOutError(UnavailableError):
    """The work took longer than the configuration allows and was canceled."""


class FailedError(InsightsError):
    """The work itself failed: dbt, a statement, a disk or a delivery. The message quotes the tool's error."""
