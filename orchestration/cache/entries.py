"""The format of a cache entry: a seal, a header, the question and the bytes of the answer.

    <format> <seal of all that follows>
    <a line of JSON: time of computation, load, duration, lifetimes>
    <the question in canonical text>
    <the answer>

A reader verifies the seal and that the question is its own, and applies its own limits of age. Only a process that has
the key can write what passes: access to Redis is not enough (decision D155).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from orchestration.cache.seals import DIGITS, is_seal, seal

FORMAT = 3
_FORMAT = b"%d " % FORMAT
_PREFIX_BYTES = len(_FORMAT) + DIGITS + 1
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class UnusableEntryError(Exception):
    """The bytes are not an entry for this question: truncated, changed, of another format or another question."""


@dataclass(frozen=True)
class Lifetime:
    """Seconds for which an entry is fresh, and seconds after that in which it is readable as stale (decision D11)."""

    fresh: float
    stale: float

    @property
    def hard(self) -> float:
        """Age in seconds from which an entry is not returned at all."""
        return self.fresh + self.stale


@dataclass(frozen=True)
class Entry:
    """An answer: its bytes, the load it is computed from, when (seconds since 1970) and how long that took (seconds).

    `question` is the question in canonical text, one line.
    """

    question: str
    body: bytes
    load: int
    computed_at: float
    seconds: float

    def age(self, now: float) -> float:
        """Return the age in seconds at `now`; an entry of a clock that was ahead counts as old, never as fresh."""
        return abs(now - self.computed_at)


def pack(entry: Entry, lifetime: Lifetime, key: bytes) -> bytes:
    """Return the entry in the format of this module, sealed with a key."""
    header = {
        "computed_at": entry.computed_at,
        "load": entry.load,
        "seconds": entry.seconds,
        "fresh_seconds": lifetime.fresh,
        "hard_seconds": lifetime.hard,
    }
    content = f"{canonical(header)}\n{entry.question}\n".encode() + entry.body
    return b"%b%b\n%b" % (_FORMAT, seal(key, content), content)


def unpack(raw: bytes, question: str, key: bytes) -> Entry:
    """Return the entry in these bytes; raises UnusableEntryError unless key and question are right."""
    content = memoryview(raw)[_PREFIX_BYTES:]
    format_, given, end = (
        raw[: len(_FORMAT)],
        raw[len(_FORMAT) : _PREFIX_BYTES - 1],
        raw[_PREFIX_BYTES - 1 : _PREFIX_BYTES],
    )
    if format_ != _FORMAT or end != b"\n" or not is_seal(key, content, given):
        raise UnusableEntryError("the entry is truncated, changed, of another format or sealed with another key")
    try:
        line, answered, body = bytes(content).split(b"\n", 2)
        header = json.loads(line.decode())
        entry = Entry(question, body, int(header["load"]), float(header["computed_at"]), float(header["seconds"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UnusableEntryError(f"the header cannot be read ({type(error).__name__})") from error
    if not math.isfinite(entry.computed_at):  # Python's JSON accepts NaN, which would pass every comparison of age
        raise UnusableEntryError("the time of its computation is not a finite number")
    if answered != question.encode():
        raise UnusableEntryError("the entry answers another question")
    return entry


def canonical(value: object) -> str:
    """Return the same text for equal values: JSON with sorted keys and without spaces."""
    return _ENCODER.encode(value)
