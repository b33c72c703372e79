"""Makes text of the source fit for a message: one short line without control characters or invisible marks."""

from __future__ import annotations

LONGEST = 200  # characters; a label or a location may be as long as its writer likes


def plain(text: object, longest: int = LONGEST) -> str:
    """Return a text on one line, shortened to `longest` characters; … marks what is left out.

    What could end a header, reverse the direction of reading or hide is a space.
    """
    whole = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return whole if len(whole) <= longest else whole[: longest - 1] + "…"
