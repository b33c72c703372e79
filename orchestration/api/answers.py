"""The body and headers of an answer: the figures as the database wrote them, and beside them what they are of."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestration.cache.answers import Answer
from orchestration.dashboards.question import Question

JSON = "application/json"


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


def dashboard_reply(question: Question, answer: Answer, fresh_seconds: float, seconds: float) -> Reply:
    """Return the reply to a dashboard question.

    `fresh_seconds` is the lifetime of its class, and `seconds` the time that the answer took.
    """
    entry = answer.entry
    panels: dict[str, Any] = json.loads(entry.body)
    about = {
        "data_up_to": min((panel["horizon"] for panel in panels.values() if panel["horizon"]), default=None),
        "computed_at": datetime.fromtimestamp(entry.computed_at, UTC).isoformat(timespec="milliseconds"),
        "is_stale": answer.is_stale,
        "visibilities": list(question.visibilities),
        "left_out": sum(panel["left_out"] for panel in panels.values()),
    }
    members = json.dumps(about).encode()
    body = b'{"data": ' + entry.body + b", " + members[1:]
    age = max(0, int(time.time() - entry.computed_at))
    headers = {
        "Age": str(age),
        "Cache-Control": "private, no-cache" if answer.is_stale else f"private, max-age={int(fresh_seconds)}",
        "ETag": _tag(question, body),
        "Server-Timing": f"answer;dur={seconds * 1000:.1f};desc={answer.outcome}",
        "Vary": "Authorization",
    }
    return Reply(body, headers=headers, outcome=answer.outcome)


def not_modified(reply: Reply, wanted: str | None) -> Reply:
    """Return the reply without its body if the client has it already: `wanted` is its If-None-Match."""
    tag = reply.headers.get("ETag")
    if tag is None or wanted is None or tag not in (part.strip() for part in wanted.split(",")):
        return reply
    return Reply(b"", reply.media_type, reply.headers, 304, reply.outcome)


def _tag(question: Question, body: bytes) -> str:
    """Return an ETag of the question, which names the organization, and the body: no two organizations share one."""
    digest = hashlib.sha256(question.text.encode() + b"\n" + body).hexdigest()
    return f'W/"{digest[:32]}"'


def _text(value: Any) -> str:
    text: str = value.isoformat()
    return text
