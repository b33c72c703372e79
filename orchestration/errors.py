"""The errors of Orgo Insights, one class for each way in which a caller can react.

    InsightsError              who acts    does waiting help?   a web service answers
    |- BadInputError           client      no                   400
    |- RefusedError            operator    no                   403
    |  `- AccessRefusedError   client      no                   403 (orchestration.dashboards.access)
    |- NotFoundError           client      no                   404
    |- ConflictError           client      no                   409
    |  `- BusyError            client      yes                  409
    |- FailedError             operator    no                   500
    |- MisconfiguredError      operator    no                   500
    |- NotPreparedError        operator    no                   503
    |- NotBuiltError           operator    no                   503
    `- UnavailableError        operator    yes                  503
       `- TimedOutError        operator    yes                  504

The message says what is wrong, where, and what to do. The class says who can do it and whether the same call can
succeed later although nobody changes anything: `fixed_by` and `is_transient`. InsightsError itself is never raised.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

Actor = Literal["client", "operator"]


class InsightsError(Exception):
    """Base of every error that somebody can act on; any other exception is a defect of this package."""

    fixed_by: ClassVar[Actor] = "operator"
    is_transient: ClassVar[bool] = False

    def extended(self, sentence: str) -> Self:
        """The same kind of error with one more sentence at the end of its message."""
        return type(self)(f"{self} {sentence}")


class BadInputError(InsightsError):
    """The request makes no sense whatever the database holds: a wrong option, parameter, date, format or name."""

    fixed_by = "client"


class NotFoundError(InsightsError):
    """What the request names does not exist: an organization, a user, a dashboard, an export, a pattern, a case."""

    fixed_by = "client"


class RefusedError(InsightsError):
    """A privilege or a policy forbids it; the message names the role or the rule."""


class ConflictError(InsightsError):
    """Something that exists is in the way: a file of that name, a second organization with the same slug."""

    fixed_by = "client"


class BusyError(ConflictError):
    """Somebody else holds what is needed: the writer lock, an export slot, locked rows. It is free later."""

    is_transient = True


class MisconfiguredError(InsightsError):
    """A file, a variable, a declaration or an installation is wrong: correct it, then run the command again."""


class NotPreparedError(InsightsError):
    """The database lacks the schemas, roles or helper objects of this release: `insights init`."""


class NotBuiltError(InsightsError):
    """A mart does not exist, was never loaded, or is of another release: `insights build`."""


class UnavailableError(InsightsError):
    """The database, the cache or another service does not answer, or not in time."""

    is_transient = True


class TimedOutError(UnavailableError):
    """The work took longer than the configuration allows, and was ended."""


class FailedError(InsightsError):
    """The work itself failed: dbt, a statement, a disk, a delivery. The message has what the tool said."""
