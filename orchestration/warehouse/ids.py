"""Distinguishes ids, in upper or lower case, from slugs and other texts."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def canonical_id(text: str) -> str | None:
    """Return the text in lower case if it is an id; None if it cannot be one."""
    lowered = text.lower()
    return lowered if _ID.fullmatch(lowered) else None
