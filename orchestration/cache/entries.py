"""What one entry of the cache is: a line of JSON that says what follows it, and the bytes of the answer.

Nothing in it is trusted that the reader can know by itself: the question must be his own, the bytes must have the
checksum of the line, and how old an entry may be is the reader's to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
Question = Mapping[str, Any]


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
    """An answer: its bytes, when they were computed (seconds since 1970), from which load, and in how many seconds."""

    question: Question
    body: bytes
    load: int
    computed_at: float
    seconds: float

    def age(self, now: float) -> float:
        """Seconds between its computation and `now`; a clock that was ahead makes it older, never younger."""
        return abs(now - self.computed_at)


def pack(entry: Entry, lifetime: Lifetime) -> bytes:
    """The entry as bytes: the header's line, then the body as it is."""
    header = {
        "format": FORMAT,
        "question": entry.question,
        "computed_at": entry.computed_at,
        "load": entry.load,
        "seconds": entry.seconds,
        "fresh_seconds": lifetime.fresh,
        "hard_seconds": lifetime.hard,
        "sha256": hashlib.sha256(entry.body).hexdigest(),
    }
    return canonical(header).encode() + b"\n" + entry.body


def unpack(raw: bytes, question: Question) -> Entry:
    """The entry that these bytes are; raises UnusableEntryError unless they are whole and answer this question."""
    line, _, body = raw.partition(b"\n")
    try:
        header = json.loads(line)
        entry = Entry(
            header["question"], body, int(header["load"]), float(header["computed_at"]), float(header["seconds"])
        )
        is_ours = header["format"] == FORMAT and canonical(entry.question) == canonical(question)
        checksum = header["sha256"]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UnusableEntryError(f"the header cannot be read ({type(error).__name__})") from error
    if not is_ours:
        raise UnusableEntryError("it is of another format, or answers another question")
    if checksum != hashlib.sha256(body).hexdigest():
        raise UnusableEntryError("its body was cut or changed")
    return entry


def canonical(value: object) -> str:
    """One text for equal values: JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
