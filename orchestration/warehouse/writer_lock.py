"""The lock of the one writer (design, rule 9), because two processes that write the same relations would deadlock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database
from orchestration.warehouse.releases import check_release

CLAIM = "writer"


@contextmanager
def writer_lock(db: Database) -> Iterator[int]:
    """Hold the writer lock for a block; yields the number with which each writing transaction proves it.

    Raises like `check_release` and `claims.held`.
    """
    check_release(db)
    with held(db, CLAIM, "writing to this warehouse") as number:
        yield number
