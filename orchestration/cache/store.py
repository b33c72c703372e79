"""Entries, leases and counts in Redis. Each call has a time limit, and a failure pauses the calls."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import redis

from orchestration.cache.addresses import FORMS
from orchestration.cache.keys import Group, Key
from orchestration.cache.scripts import COUNT, COUNT_REQUESTS, RELEASE, TAKE, WRITE
from orchestration.cache.servers import FAULTS, Command, Servers, open_servers
from orchestration.errors import MisconfiguredError

logger = logging.getLogger(__name__)

ASKS_KEPT = timedelta(days=2)  # the counts of today and yesterday
MOST_REQUESTS = 2**53  # no count reaches it
MOST_QUESTIONS = 20_000  # of a day, which are read at most
LONGEST_QUESTION = 10_000  # bytes
LONGEST_COUNT = 18  # digits of a number that Redis adds to


class CacheUnavailableError(Exception):
    """Redis cannot be reached or is too slow, or was so a moment ago and is not called yet."""


class CacheRefusedError(Exception):
    """Redis refused the command: it is full, read-only, or holds another type under that key."""


@dataclass(frozen=True)
class Found:
    """The bytes of an entry and of the newest load known for its group, as they are; None if there are none."""

    raw: bytes | None
    load: bytes | None


@dataclass(frozen=True)
class Write:
    """One entry to store: `raw` for `hard_seconds`, in a group of at most `max_keys` entries, with its sealed load.

    `is_requested` if a client has just requested it; an entry of a warm-up keeps the time of its last request.
    """

    key: Key
    raw: bytes
    load: bytes
    hard_seconds: float
    max_keys: int
    is_requested: bool = True


@dataclass(frozen=True)
class Counts:
    """Numbers to add to the counts of a group: outcomes by name, and requests by the text of their question."""

    group: Group
    outcomes: Mapping[str, int]
    asks: Mapping[str, int]
    max_asks: int


class Store:
    """The cache in Redis. Safe to share between threads."""

    def __init__(self, url: str, timeout_seconds: float, pause_seconds: float) -> None:
        """Set the URL without connecting; raises MisconfiguredError, without showing it, if it is invalid.

        With an option, or a value of one, that the client does not take, every call raises CacheUnavailableError, as
        if Redis were down.
        After a call that takes longer than `timeout_seconds`, Redis is not called for `pause_seconds`.
        """
        self._servers, self._problem = _open(url, timeout_seconds)
        self._pause_seconds = pause_seconds
        self._paused_until = 0.0
        if self._problem:
            logger.warning("There is no cache: %s", self._problem)

    def read(self, key: Key, requested_at: float) -> Found:
        """Return the entry of a key and record the time of the request (seconds since 1970), in one round trip."""
        entry, index, load = key.entry, key.group.index, key.group.load
        raw, found_load, _ = self._ask(
            Command(entry, ("GET", entry)),
            Command(load, ("GET", load)),
            Command(index, ("ZADD", index, "XX", int(requested_at * 1000), key.name)),
        )
        if isinstance(raw, redis.ResponseError):
            raise CacheRefusedError(str(raw)) from raw
        return Found(raw, found_load if isinstance(found_load, bytes) else None)

    def forget_load(self, group: Group, raw: bytes) -> None:
        """Remove the known load of a group if it still is this one."""
        self._ask_one(Command.script(RELEASE, [group.load], [raw]))

    def write(self, writes: Sequence[Write], written_at: float) -> list[CacheRefusedError | None]:
        """Store entries in one round trip; a group over its limit loses entries of its largest owners.

        Those that were not requested for the longest leave. Returns the error for each that Redis refused, None for
        each that was stored.
        """
        commands = [
            Command.script(
                WRITE,
                [write.key.entry, write.key.group.index, write.key.group.load],
                [
                    *(write.raw, max(1, int(write.hard_seconds * 1000)), write.max_keys, write.load),
                    *(write.key.name, int(written_at * 1000), "" if write.is_requested else "NX"),
                ],
            )
            for write in writes
        ]
        answers = self._ask(*commands)
        return [CacheRefusedError(str(a)) if isinstance(a, Exception) else None for a in answers]

    def take_lease(self, key: Key, token: str, seconds: float) -> bool:
        """Take the lease of an entry for some seconds; returns False if another client holds it."""
        return bool(self._ask_one(Command.script(TAKE, [key.lease], [token, max(1, int(seconds * 1000))])))

    def release_lease(self, key: Key, token: str) -> None:
        """Release the lease if `token` still holds it."""
        self._ask_one(Command.script(RELEASE, [key.lease], [token]))

    def add_counts(self, counts: Iterable[Counts], now: float) -> list[Exception | None]:
        """Add to the counts of groups; returns the error for each that failed, None for each that succeeded."""
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        commands: list[Command] = []
        sizes = []
        for count in counts:
            before = len(commands)
            named = {f"{count.group.name}:{outcome}": number for outcome, number in count.outcomes.items()}
            if named:
                commands.append(Command.script(COUNT, [count.group.counters], _flat(named)))
            if count.asks:
                limits = [int(ASKS_KEPT.total_seconds()), count.max_asks]
                commands.append(Command.script(COUNT_REQUESTS, [count.group.asks(day)], [*limits, *_flat(count.asks)]))
            sizes.append(len(commands) - before)
        answers = iter(self._ask(*commands))
        return [
            next((a for a in [next(answers) for _ in range(size)] if isinstance(a, Exception)), None) for size in sizes
        ]

    def most_requested(self, group: Group, now: float) -> list[tuple[str, int]]:
        """Return the questions of today and yesterday (UTC) with their number of requests, the most requested first.

        What no count can have written is left out and removed.
        """
        today = datetime.fromtimestamp(now, UTC).date()
        keys = [group.asks(day.isoformat()) for day in (today, today - timedelta(days=1))]
        most = (0, MOST_QUESTIONS - 1, "REV", "WITHSCORES")
        answers = self._ask(*(Command(key, ("ZRANGE", key, *most), {"withscores": True}) for key in keys))
        total: dict[str, int] = {}
        invalid = []
        for member, score in (pair for answer in answers if isinstance(answer, list) for pair in answer):
            if not 0 < score < MOST_REQUESTS or len(member) > LONGEST_QUESTION:
                invalid.append(member)
                continue
            question = member.decode("utf-8", "surrogateescape")
            total[question] = total.get(question, 0) + int(score)
        self.forget_requests(group, invalid, now)
        return sorted(total.items(), key=lambda item: (-item[1], item[0]))

    def forget_requests(self, group: Group, questions: Sequence[str | bytes], now: float) -> None:
        """Remove questions from the counts of today and yesterday (UTC)."""
        if not questions:
            return
        members = [q if isinstance(q, bytes) else q.encode("utf-8", "surrogateescape") for q in questions]
        today = datetime.fromtimestamp(now, UTC).date()
        keys = [group.asks(day.isoformat()) for day in (today, today - timedelta(days=1))]
        self._ask(*(Command(key, ("ZREM", key, *members)) for key in keys))

    def counters(self, environment: str) -> dict[str, int]:
        """Return every counter of an environment in Redis, by `<group>:<outcome>`."""
        key = Group(environment, "").counters
        found = cast(dict[bytes, bytes], self._ask_one(Command(key, ("HGETALL", key))))
        return {
            name.decode("utf-8", "replace"): int(number)
            for name, number in found.items()
            if number.isdigit() and len(number) <= LONGEST_COUNT
        }

    def close(self) -> None:
        """Close the connections."""
        if self._servers:
            self._servers.close()

    def _ask_one(self, command: Command) -> Any:
        """Return the response to one command; raises CacheRefusedError if Redis refuses it."""
        (answer,) = self._ask(command)
        if isinstance(answer, Exception):
            raise CacheRefusedError(str(answer)) from answer
        return answer

    def _ask(self, *commands: Command) -> list[Any]:
        """Return the responses of Redis, or its errors; after a fault, raise at once for the next `pause_seconds`."""
        if self._servers is None:
            raise CacheUnavailableError(self._problem)
        if time.monotonic() < self._paused_until:
            raise CacheUnavailableError("Redis did not respond a moment ago")
        try:
            return self._servers.execute(commands)
        except FAULTS as error:
            self._paused_until = time.monotonic() + self._pause_seconds
            logger.warning("Redis did not respond (%s); no further attempt for %s s", error, self._pause_seconds)
            raise CacheUnavailableError(f"{type(error).__name__}: {error}") from error


def _flat(numbers: Mapping[str, int]) -> list[str | int]:
    return [part for pair in numbers.items() for part in pair]


def _open(url: str, timeout_seconds: float) -> tuple[Servers | None, str]:
    """Return the servers of a URL; or, if an option fits no connection, None and what is wrong.

    Raises MisconfiguredError if the rest of the URL is invalid.
    """
    try:
        return open_servers(url, timeout_seconds), ""
    except (TypeError, ValueError, redis.RedisError) as error:
        try:
            open_servers(url.partition("?")[0], timeout_seconds)
        except ValueError as invalid:
            raise MisconfiguredError(f"INSIGHTS_REDIS_URL must be like {FORMS}.") from invalid
        return None, f"INSIGHTS_REDIS_URL has an option that redis-py does not take ({error}). Correct or remove it."
