"""Seals what is written to Redis with a key, so that nothing that others write there is believed."""

from __future__ import annotations

import hmac
import logging
import re
import threading
import time
from collections.abc import Callable

from orchestration.cache.keys import Group
from orchestration.errors import InsightsError

logger = logging.getLogger(__name__)

DIGITS = 32  # hexadecimal ones of HMAC-SHA256: 128 bits
_LOAD = re.compile(rb"([0-9]{1,18}) ([0-9a-f]{%d})" % DIGITS)


class Seals:
    """The key of the seals, found on first use. Safe to share between threads."""

    def __init__(self, find_key: Callable[[], bytes], pause_seconds: float) -> None:
        """Get the key from `find_key`; after it has raised InsightsError, it is not called for `pause_seconds`."""
        self._find_key = find_key
        self._pause_seconds = pause_seconds
        self._paused_until = 0.0
        self._key: bytes | None = None
        self._lock = threading.Lock()

    def key(self) -> bytes | None:
        """Return the key; None if it cannot be found now, so that nothing can be sealed or believed."""
        with self._lock:
            if self._key is None and time.monotonic() >= self._paused_until:
                try:
                    self._key = self._find_key()
                except InsightsError as error:
                    self._paused_until = time.monotonic() + self._pause_seconds
                    logger.warning("The cache is not used, because its key cannot be read: %s", error)
            return self._key


def seal(key: bytes, content: bytes | memoryview) -> bytes:
    """Return the seal of some bytes, in hexadecimal digits."""
    return hmac.digest(key, content, "sha256").hex()[:DIGITS].encode()


def is_seal(key: bytes, content: bytes | memoryview, given: bytes) -> bool:
    """Return whether these digits are the seal of these bytes."""
    return hmac.compare_digest(seal(key, content), given)


def sealed_load(key: bytes, group: Group, load: int) -> bytes:
    """Return the number of a load with the seal of it and its group."""
    return b"%d %s" % (load, seal(key, _load_content(group, load)))


def opened_load(key: bytes, group: Group, raw: bytes) -> int | None:
    """Return the load that `sealed_load` has written; None for anything else."""
    found = _LOAD.fullmatch(raw)
    load = int(found[1]) if found else 0
    return load if found and is_seal(key, _load_content(group, load), found[2]) else None


def _load_content(group: Group, load: int) -> bytes:
    return f"{group.load}={load}".encode()
