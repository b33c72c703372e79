"""The body and headers of an answer: the figures as the database wrote them, and beside them what they are of."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from orchestration.api import gateway
from orchestration.cache.answers import Answer
from orchestration.dashboards.question import Question

JSON = "application/json"
# An answer depends on who asks.
VARY = ", ".join(("Authorization", gateway.USER, gateway.ORGANIZATION, gateway.ROLES))

# The extents of the newest answers, by question and the time of the computation.
MOST_EXTENTS = 4096
_EXTENTS: dict[tuple[str, float], tuple[str | None, int]] = {}


@dataclass(frozen=True)
class Reply:
    """What an operation answers: status, body and headers; `outcome` is for the log."""

    body: bytes
    media_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    outcome: str = "ok"


def document(value: object) -> Reply:
    """Return a reply with a value as JSON; dates and times in ISO 8601."""
    return Reply(json.dumps(value, ensure_ascii=False, default=_text).encode())


@dataclass(frozen=True)
class Answered:
    """A question with its answer.

    `fresh_seconds` is the lifetime of its class, and `seconds` the time that the answer took.
    """

    question: Question
    answer: Answer
    fresh_seconds: float
    seconds: float

    @cached_property
    def panels(self) -> dict[str, Any]:
        """The panels of the dashboard by name."""
        found: dict[str, Any] = json.loads(self.answer.entry.body)
        return found

    def about(self) -> dict[str, Any]:
        """Return what the figures are of, and how fresh they are."""
        data_up_to, left_out = self._extent()
        return {
            "data_up_to": data_up_to,
            "computed_at": self.computed_at,
            "is_stale": self.answer.is_stale,
            "visibilities": list(self.question.visibilities),
            "left_out": left_out,
        }

    def _extent(self) -> tuple[str | None, int]:
        """Return the earliest horizon and the number of rows left out; a long answer is parsed for them once."""
        key = self.question.text, self.answer.entry.computed_at
        found = _EXTENTS.get(key)
        if found is None:
            panels = self.panels.values()
            up_to = min((panel["horizon"] for panel in panels if panel["horizon"]), default=None)
            found = up_to, sum(panel["left_out"] for panel in panels)
            if len(_EXTENTS) >= MOST_EXTENTS:
                _EXTENTS.clear()
            _EXTENTS[key] = found
        return found

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
            "Age": str(max(0, int(time.time() - answer.entry.computed_at))),
            "Cache-Control": fresh,
            "ETag": etag or tag(self.question.text, body),
            "Server-Timing": f"answer;dur={self.seconds * 1000:.1f};desc={answer.outcome}",
            "Vary": VARY,
        }
        return Reply(body, headers=headers, outcome=answer.outcome)


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
    if tag is None or wanted is None or tag not in (part.strip() for part in wanted.split(",")):
        return reply
    return Reply(b"", reply.media_type, reply.headers, 304, reply.outcome)


def tag(question: str, body: bytes) -> str:
    """Return an ETag of a question, whose text names the organization, and the body: no two organizations share one."""
    digest = hashlib.sha256(question.encode() + b"\n" + body).hexdigest()
    return f'W/"{digest[:32]}"'


def _text(value: Any) -> str:
    """Return what JSON does not have: a day or moment in ISO 8601, an id as text."""
    text: str = value.isoformat() if isinstance(value, date) else str(value)
    return text
