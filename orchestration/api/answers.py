"""The body and headers of an answer: the figures as the database wrote them, and beside them what they are of."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from orchestration.api import gateway
from orchestration.cache.answers import Answer
from orchestration.dashboards.question import Question

JSON = "application/json"
# An answer depends on who asks.
AGE, TIMING = "Age", "Server-Timing"
OK, NOT_MODIFIED = 200, 304
VARY = ", ".join(("Authorization", gateway.USER, gateway.ORGANIZATION, gateway.ROLES))


@dataclass(frozen=True)
class Repeat:
    """That a reply may be given again until a moment, and when it was computed, in seconds since 1970.

    `count` counts an answer more.
    """

    computed_at: float
    until: float
    count: Callable[[], object]


@dataclass(frozen=True)
class Reply:
    """What an operation answers: status, body and headers; `outcome` is for the log.

    With `repeat`, whoever may make the same request may get the same reply.
    """

    body: bytes
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    status: int = OK
    outcome: str = "ok"
    repeat: Repeat | None = None


def document(value: object) -> Reply:
    """Return a reply with a value as JSON; dates and times in ISO 8601."""
    return Reply(json.dumps(value, ensure_ascii=False, default=_text).encode())


@dataclass(frozen=True)
class Answered:
    """A question with its answer.

    `fresh_seconds` is the lifetime of its class, `seconds` the time that the answer took, and `count` counts one answer
    more of the cache.
    """

    question: Question
    answer: Answer
    fresh_seconds: float
    seconds: float
    count: Callable[[], object]

    @cached_property
    def panels(self) -> dict[str, Any]:
        """The panels of the dashboard by name."""
        found: dict[str, Any] = json.loads(self.answer.entry.body)
        return found

    def about(self) -> dict[str, Any]:
        """Return what the figures are of, and how fresh they are."""
        panels = self.panels.values()
        return {
            "data_up_to": min((panel["horizon"] for panel in panels if panel["horizon"]), default=None),
            "computed_at": self.computed_at,
            "is_stale": self.answer.is_stale,
            "visibilities": list(self.question.visibilities),
            "left_out": sum(panel["left_out"] for panel in panels),
        }

    @property
    def computed_at(self) -> str:
        """When the figures were computed, in ISO 8601."""
        return datetime.fromtimestamp(self.answer.entry.computed_at, UTC).isoformat(timespec="milliseconds")

    def reply(self, body: bytes, etag: str | None = None) -> Reply:
        """Return a reply with this body, and the headers that say how long it may be kept.

        `etag` is for a body that follows from the question and its computation; the default is made from the body.
        """
        answer = self.answer
        fresh = "private, no-cache" if answer.is_stale else f"private, max-age={int(self.fresh_seconds)}"
        headers = {
            AGE: age(answer.entry.computed_at),
            "Cache-Control": fresh,
            "ETag": etag or tag(self.question.text, body),
            TIMING: timing(self.seconds, answer.outcome),
            "Vary": VARY,
        }
        until = answer.entry.computed_at + self.fresh_seconds
        repeat = None if answer.is_stale else Repeat(answer.entry.computed_at, until, self.count)
        return Reply(body, headers=headers, outcome=answer.outcome, repeat=repeat)


def age(computed_at: float) -> str:
    """Return the header Age of figures that were computed at a moment, in seconds since 1970."""
    return str(max(0, int(time.time() - computed_at)))


def timing(seconds: float, outcome: str) -> str:
    """Return the header Server-Timing of an answer that took so many seconds."""
    return f"answer;dur={seconds * 1000:.1f};desc={outcome}"


def dashboard_reply(answered: Answered) -> Reply:
    """Return the reply to a dashboard question: the text of the database, and beside it what it is of."""
    members = json.dumps(answered.about()).encode()
    entry = answered.answer.entry
    # One computation has one body, which may be long: the tag is of what it was, and of the members.
    etag = tag(answered.question.text, repr((entry.computed_at, entry.load)).encode() + members)
    return answered.reply(b'{"data": ' + entry.body + b", " + members[1:], etag)


def not_modified(reply: Reply, wanted: str | None) -> Reply:
    """Return the reply without its body if the client has it already: `wanted` is its If-None-Match."""
    tag = reply.headers.get("ETag")
    return replace(reply, body=b"", status=NOT_MODIFIED) if tag and is_known(tag, wanted) else reply


def is_known(tag: str, wanted: str | None) -> bool:
    """Return whether a client has an answer already: `wanted` is its If-None-Match."""
    return wanted is not None and tag in (part.strip() for part in wanted.split(","))


def tag(question: str, body: bytes) -> str:
    """Return an ETag of a question, whose text names the organization, and the body: no two organizations share one."""
    digest = hashlib.sha256(question.encode() + b"\n" + body).hexdigest()
    return f'W/"{digest[:32]}"'


def _text(value: Any) -> str:
    """Return what JSON does not have: a day or moment in ISO 8601, an id as text."""
    text: str = value.isoformat() if isinstance(value, date) else str(value)
    return text
