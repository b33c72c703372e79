"""Runs requests on a bounded number of threads, and refuses what cannot begin or end in time (section 6.2).

A request waits for a free thread, and for its answer, for bounded times. A thread whose client has been refused ends
its work by its own limits and is free only then, so that neither threads nor connections pile up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from orchestration.errors import UnavailableError

Result = TypeVar("Result")


class OverloadedError(UnavailableError):
    """All threads are in use, or the work takes too long; the same request can succeed later."""


class Workers:
    """A bounded pool of threads, used from one event loop."""

    def __init__(self, threads: int, busy_seconds: float, answer_seconds: float) -> None:
        """Run at most `threads` at a time; wait for a free one, and for an answer, for at most these times."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reports-api")
        self._free = asyncio.Semaphore(threads)
        self._busy_seconds, self._answer_seconds = busy_seconds, answer_seconds

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, or raise what it raises; raises OverloadedError if it is not done in time."""
        try:
            await asyncio.wait_for(self._free.acquire(), self._busy_seconds)
        except TimeoutError:
            raise OverloadedError("The service is busy.") from None
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._release)
        done, _ = await asyncio.wait({future}, timeout=self._answer_seconds)
        if not done:
            raise OverloadedError("The answer takes too long.")
        return future.result()

    def close(self) -> None:
        """Let the running work end and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _release(self, future: asyncio.Future[Any]) -> None:
        self._free.release()
        if not future.cancelled():
            future.exception()  # marks it as seen: the client may have been refused already
