"""Pools of connections that tests open: each is closed after the test that opened it."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet


class Pool(Protocol):
    """What has connections."""

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""


_opened: WeakSet[Pool] = WeakSet()


def close_later(pool: Pool) -> None:
    """Close a pool after this test, and again after each that uses it."""
    _opened.add(pool)


def close_all() -> None:
    """Close every pool that is in use."""
    for pool in [*_opened]:
        pool.close()
