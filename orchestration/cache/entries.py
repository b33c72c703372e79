"""What one entry of the cache is: a checksum, what it is, which question it answers, and the bytes of the answer.

    <format> <CRC-32 of all that follows>
    <a line of JSON: when it was computed, from which load, how long that took, for how long it is good>
    <the question's one text>
    <the answer>

Nothing in it is trusted that the reader can know by itself: the question must be his own, the bytes must have the
checksum, and how old an entry may be is the reader's to say. The checksum finds what was cut or changed by accident.
Without a key no checksum does more, a cryptographic one neither: whoever may write into this Redis can also compute it.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass

FORMAT = 2
_PREFIX = "%d %08x\n"
_PREFIX_BYTES = len(_PREFIX % (FORMAT, 0))
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


class UnusableEntryError(Exception):
    """These bytes are no entry for this question: cut, changed, of another format, or somebody else's."""


@dataclass(frozen=True)
class Lifetime:
    """How many seconds an entry counts as fresh, and how many more it stays readable, marked stale (decision D11)."""

    fresh: float
    stale: float

    @property
    def hard(self) -> float:
        """Seconds after which an entry is no answer to anybody."""
        return self.fresh + self.stale


@dataclass(frozen=True)
class Entry:
    """An answer: its bytes, when they were computed (seconds since 1970), from which load, and in how many seconds.

    `question` is the one text of the question that it answers, a single line.
    """

    question: str
    body: bytes
    load: int
    computed_at: float
    seconds: float

    def age(self, now: float) -> float:
        """Seconds between its computation and `now`; a clock that was ahead makes it older, never younger."""
        return abs(now - self.computed_at)


def pack(entry: Entry, lifetime: Lifetime) -> bytes:
    """The entry as bytes: the body as it is, after what there is to know of it."""
    header = {
        "computed_at": entry.computed_at,
        "load": entry.load,
        "seconds": entry.seconds,
        "fresh_seconds": lifetime.fresh,
        "hard_seconds": lifetime.hard,
    }
    content = f"{canonical(header)}\n{entry.question}\n".encode() + entry.body
    return _prefix(content) + content


def unpack(raw: bytes, question: str) -> Entry:
    """The entry that these bytes are; raises UnusableEntryError unless they are whole and answer this question."""
    content = memoryview(raw)[_PREFIX_BYTES:]
    if raw[:_PREFIX_BYTES] != _prefix(content):
        raise UnusableEntryError("it was cut or changed, or is of another format")
    try:
        line, answered, body = bytes(content).split(b"\n", 2)
        header = json.loads(line.decode())
        entry = Entry(question, body, int(header["load"]), float(header["computed_at"]), float(header["seconds"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UnusableEntryError(f"the header cannot be read ({type(error).__name__})") from error
    if not math.isfinite(entry.computed_at):  # JSON as Python reads it has NaN, which is younger than any limit
        raise UnusableEntryError("nobody knows when it was computed")
    if answered != question.encode():
        raise UnusableEntryError("it answers another question")
    return entry


def _prefix(content: bytes | memoryview) -> bytes:
    return (_PREFIX % (FORMAT, zlib.crc32(content))).encode()


def canonical(value: object) -> str:
    """One text for equal values: JSON with sorted keys and without spaces."""
    return _ENCODER.encode(value)
