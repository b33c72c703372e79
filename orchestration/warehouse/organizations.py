"""Organizations as people name them: by slug or by id, in capitals or not."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def organization_id(text: str) -> str | None:
    """Return the id that a text is, in lower case; None when it can only be a slug."""
    lowered = text.lower()
    return lowered if _ID.fullmatch(lowered) else None
