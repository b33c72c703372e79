"""How long work says how far it is, without knowing who shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes how many of the total are done, and optionally what is being done; a total of 0 is unknown."""

    def __call__(self, done: int, total: int, doing: str = "") -> None:
        """Show it if it is time to."""
