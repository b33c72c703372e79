"""Ends work that takes longer than it may, as Airflow does with its tasks and runs (decision D237)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from orchestration.errors import TimedOutError

# Seconds of a timer whose time passed while a shorter one was set; zero would switch it off.
_AT_ONCE = 0.001


class _Expired(KeyboardInterrupt):
    """The time is over. psycopg cancels the statement of the server at this class of exception and at no other."""


@contextmanager
def time_limit(limit: timedelta, what: str) -> Iterator[None]:
    """Interrupt the block when it has taken that long, and raise TimedOutError, whose message begins with `what`.

    The block ends like one that Ctrl-C interrupts. Blocks may be nested: the limit that ends first counts. It works in
    the main thread only, because signals do.
    """
    expired = _Expired()

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise expired

    seconds, begun = limit.total_seconds(), time.monotonic()
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0 < left <= seconds:
        yield
        return
    former = signal.signal(signal.SIGALRM, expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _Expired as error:
        if error is not expired:
            raise
        raise TimedOutError(f"{what} took longer than its time limit of {limit} and was canceled.") from None
    finally:
        signal.signal(signal.SIGALRM, former)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(_AT_ONCE, left - (time.monotonic() - begun)))
