"""Distinguishes organization ids, in upper or lower case, from slugs."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def organization_id(text: str) -> str | None:
    """Return the text in lower case if it is an id; None if it can only be a slug."""
    lowered = text.lower()
    return lowered if _ID.fullmatch(lowered) else None
