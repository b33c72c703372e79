"""A connection that waits for its server until a deadline, because a server that hangs obeys no time limit (D149)."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready

Result = TypeVar("Result")

# How often psycopg looks whether to go on waiting, in seconds; its own default.
INTERVAL = 0.1


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed, with QueryCanceled, if the server is silent after `answer_by` (time.monotonic())."""

    answer_by: float | None = None

    def wait(self, gen: PQGen[Result], interval: float = INTERVAL, timeout: float | None = None) -> Result:
        """Wait as psycopg does for everything that goes to the server."""
        try:
            return super().wait(_until(gen, self.answer_by), interval, timeout)
        except SilentServerError:
            self.close()  # or a rollback would wait once more
            raise


class SilentServerError(psycopg.errors.QueryCanceled):
    """The server has sent nothing by the deadline."""


def _until(gen: PQGen[Result], answer_by: float | None) -> PQGen[Result]:
    """Do what `gen` does, until it has to wait after the deadline."""
    try:
        state = next(gen)
        while True:
            ready = yield state
            if ready == Ready.NONE and answer_by is not None and time.monotonic() >= answer_by:
                raise SilentServerError("the server is silent")
            state = gen.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result
