"""Writes a digest as JSON for a webhook: a text that a chat can show, and everything that the text says as values."""

from __future__ import annotations

import base64
from dataclasses import asdict
from html import escape
from typing import Any
from uuid import UUID

from orchestration.digests.as_text import as_text
from orchestration.digests.charts import Chart
from orchestration.digests.contents import Digest
from orchestration.digests.words import Message

FORMAT = "orgo.insights.digest/1"


def as_json(digest_id: UUID, digest: Digest, message: Message) -> dict[str, Any]:
    """Return the document of a digest; dates, ids and shares are as in the reporting service."""
    asked, (first, last) = digest.asked, digest.window
    document: dict[str, Any] = _plain(
        {
            "format": FORMAT,
            "digest_id": digest_id,
            "subject": message.subject,
            "text": escape(as_text(message), quote=False),  # chats read < and & as the beginning of a command
            "organization": {"id": asked.organization_id, "slug": digest.slug, "name": digest.organization},
            "cadence": asked.cadence,
            "review_date": asked.review_date,
            "window": {"first_day": first, "last_day": last},
            "visibilities": asked.visibilities,
            "has_review_before": digest.has_review_before,
            "patterns": {
                name: {"count": section.count, "listed": [asdict(line) for line in section.lines]}
                for name, section in digest.sections.items()
            },
            "history": [asdict(one) for one in digest.history],
            "figures": [asdict(one) for one in digest.figures],
            "domains": [asdict(one) for one in digest.domains],
            "charts": [_chart(chart) for chart in message.charts],
            "link": message.link,
        }
    )
    return document


def _chart(chart: Chart) -> dict[str, Any]:
    picture = {"media_type": "image/png", "base64": base64.b64encode(chart.png).decode()} if chart.png else None
    points = [asdict(point) for point in chart.points]
    return {"name": chart.name, "title": chart.title, "text": chart.text, "points": points, "picture": picture}


def _plain(value: Any) -> Any:
    """Return a value with dates and ids as texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
