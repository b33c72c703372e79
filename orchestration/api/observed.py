"""Gives each request an id, and measures and logs each answer: one JSON line, without any parameter or figure."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.api.answers import Repeat
from orchestration.api.metrics import Metrics

logger = logging.getLogger(__name__)

RECORD = "orgo_insights"  # the key of the record in the scope of a request
ABORTED = 499  # the status that is logged if no answer began
# Names of users are hashed with a key of the process: its lines can be grouped by user, and no user can be looked up.
_KEY = secrets.token_bytes(32)


@dataclass
class Record:
    """What is known of a request while it is answered: the operation, the user and organization, and the outcome.

    `repeat` says that its answer may be given again.
    """

    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    route: str | None = None
    subject: str | None = None
    organization_id: str | None = None
    outcome: str = "refused"
    repeat: Repeat | None = None


class Observed:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Observe `app`."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record, begun, status = Record(), time.monotonic(), ABORTED
        scope[RECORD] = record

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = record.request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            if record.route:
                seconds = time.monotonic() - begun
                self._metrics.observe(record.route, status, record.outcome, seconds)
                logger.info("%s", _line(record, status, seconds))


def _line(record: Record, status: int, seconds: float) -> str:
    subject = record.subject and hashlib.blake2b(record.subject.encode(), key=_KEY, digest_size=8).hexdigest()
    return json.dumps(
        {
            "request_id": record.request_id,
            "route": record.route,
            "subject": subject,
            "organization_id": record.organization_id,
            "status": status,
            "outcome": record.outcome,
            "milliseconds": round(1000 * seconds, 1),
        }
    )
