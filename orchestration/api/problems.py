"""Errors as problem details (RFC 9457): a stable `type`, a status, and a sentence that shows nothing of the inside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.api.limits import TooManyRequestsError
from orchestration.api.tokens import TokenError
from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.question import WrongParametersError
from orchestration.errors import BadInputError, InsightsError, NotFoundError

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:orgo-insights:problem:"


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its stable name, its status, and what its title and default detail say."""

    name: str
    status: int
    title: str
    detail: str


KINDS = (
    Kind("parameters", 422, "Wrong parameters", "One or more parameters are wrong; see errors."),
    Kind("unauthenticated", 401, "No valid access token", "Send Authorization: Bearer with a valid access token."),
    Kind("refused", 403, "Not allowed", "The roles of the access token do not allow this."),
    Kind("not-found", 404, "Not found", "There is nothing here that the access token may see."),
    Kind("method", 405, "Method not allowed", "Only GET and HEAD are allowed."),
    Kind("too-many", 429, "Too many requests", "This caller has made too many requests in this minute."),
    Kind("failed", 500, "Internal error", "The service failed. The request id is in the header X-Request-Id."),
    Kind("unavailable", 503, "Unavailable", "The answer cannot be given now. Try again later."),
)
# The kind of problem for a kind of error; any other error is "unavailable". Only the messages of _SAID are for clients.
_NAMES: tuple[tuple[type[InsightsError], str], ...] = (
    (BadInputError, "parameters"),
    (TokenError, "unauthenticated"),
    (AccessRefusedError, "refused"),
    (NotFoundError, "not-found"),
    (TooManyRequestsError, "too-many"),
)
_SAID = ("parameters", "refused")
_BY_NAME = {kind.name: kind for kind in KINDS}
BY_STATUS = {kind.status: kind for kind in KINDS}


@dataclass(frozen=True)
class Problem:
    """One answer to a request that cannot be fulfilled; `errors` has a sentence by the name of each wrong parameter."""

    kind: Kind
    detail: str
    errors: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Return the problem as JSON."""
        whole: dict[str, object] = {
            "type": f"{TYPES}{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.errors:
            whole["errors"] = [{"parameter": name, "detail": says} for name, says in sorted(self.errors.items())]
        return json.dumps(whole, ensure_ascii=False).encode(errors="replace")

    def envelope(self) -> bytes:
        """Return the problem in the form that Orgo's web client expects."""
        says = " ".join(self.errors.values()) or self.detail
        return enveloped(None, {"code": self.kind.name, "message": says})


def enveloped(data: object, error: object, **beside: object) -> bytes:
    """Return the envelope that Orgo's web client expects around data or an error, as JSON."""
    whole = {"ok": error is None, "data": data, "error": error, **beside}
    return json.dumps(whole, ensure_ascii=False).encode(errors="replace")


def problem(name: str, detail: str = "", errors: Mapping[str, str] | None = None) -> Problem:
    """Return the problem of a kind by its name, with the detail of the kind unless another is given."""
    kind = _BY_NAME[name]
    return Problem(kind, detail or kind.detail, errors or {})


def problem_of(error: InsightsError) -> Problem:
    """Return the problem for an error: a client reads what it can fix, and of everything else only that it failed."""
    if isinstance(error, WrongParametersError):
        return problem("parameters", errors=error.wrong)
    name = next((name for kind, name in _NAMES if isinstance(error, kind)), "unavailable")
    return problem(name, str(error) if name in _SAID else "")
