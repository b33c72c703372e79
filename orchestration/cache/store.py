"""Entries, leases and counts in Redis. Each call has a time limit, and a failure pauses the calls."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestration.cache.keys import Group, Key
from orchestration.cache.scripts import RELEASE, WRITE
from orchestration.errors import MisconfiguredError

logger = logging.getLogger(__name__)

ASKS_KEPT = timedelta(days=2)  # the counts of today and yesterday


class CacheUnavailableError(Exception):
    """Redis cannot be reached or is too slow, or was so a moment ago and is not called yet."""


class CacheRefusedError(Exception):
    """Redis refused the command: it is full, read-only, or holds another type under that key."""


@dataclass(frozen=True)
class Found:
    """The bytes of an entry, None if there is none, and the newest load known for its group."""

    raw: bytes | None
    known_load: int | None


@dataclass(frozen=True)
class Write:
    """One entry to store: `raw` for `hard_seconds`, in a group of at most `max_keys` entries.

    `is_requested` if a client has just requested it; an entry of a warm-up keeps the time of its last request.
    """

    key: Key
    raw: bytes
    load: int
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
    """A Redis client. Safe to share between threads."""

    def __init__(self, url: str, timeout_seconds: float, pause_seconds: float) -> None:
        """Set the URL without connecting; raises MisconfiguredError, without showing it, if it is invalid.

        With an option, or a value of one, that the client does not take, every call raises CacheUnavailableError, as
        if Redis were down.
        After a call that takes longer than `timeout_seconds`, Redis is not called for `pause_seconds`.
        """
        try:
            self._redis, self._problem = _client(url, timeout_seconds)
        except ValueError as error:
            raise MisconfiguredError("INSIGHTS_REDIS_URL must be like redis://:password@host:6379/1.") from error
        self._pause_seconds = pause_seconds
        self._paused_until = 0.0
        if self._problem:
            logger.warning("There is no cache: %s", self._problem)
        self._write = self._redis.register_script(WRITE)
        self._release = self._redis.register_script(RELEASE)

    def read(self, key: Key, requested_at: float) -> Found:
        """Return the entry of a key and record the time of the request (seconds since 1970), in one round trip."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(key.entry)
        pipeline.get(key.group.load)
        pipeline.zadd(key.group.index, {key.name: int(requested_at * 1000)}, xx=True)
        raw, load, _ = self._run(lambda: pipeline.execute(raise_on_error=False))
        if isinstance(raw, redis.ResponseError):
            raise CacheRefusedError(str(raw)) from raw
        return Found(raw, int(load) if isinstance(load, bytes) and load.isdigit() else None)

    def write(self, writes: Sequence[Write], written_at: float) -> list[CacheRefusedError | None]:
        """Store entries in one round trip; a group over its limit loses its least recently requested entries.

        Returns the error for each that Redis refused, None for each that was stored.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for write in writes:
            group = write.key.group
            self._write(
                keys=[write.key.entry, group.index, group.load],
                args=[
                    *(write.raw, max(1, int(write.hard_seconds * 1000)), write.max_keys, write.load),
                    *(write.key.name, int(written_at * 1000), "" if write.is_requested else "NX"),
                ],
                client=pipeline,
            )
        answers = self._run(lambda: pipeline.execute(raise_on_error=False))
        return [CacheRefusedError(str(a)) if isinstance(a, Exception) else None for a in answers]

    def take_lease(self, key: Key, token: str, seconds: float) -> bool:
        """Take the lease of an entry for some seconds; returns False if another client holds it."""
        return bool(self._run(lambda: self._redis.set(key.lease, token, nx=True, px=max(1, int(seconds * 1000)))))

    def release_lease(self, key: Key, token: str) -> None:
        """Release the lease if `token` still holds it."""
        self._run(lambda: self._release(keys=[key.lease], args=[token]))

    def add_counts(self, counts: Iterable[Counts], now: float) -> list[Exception | None]:
        """Add to the counts of groups; returns the error for each that failed, None for each that succeeded."""
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        pipeline = self._redis.pipeline(transaction=False)
        sizes = []
        for count in counts:
            before = len(pipeline)
            for outcome, number in count.outcomes.items():
                pipeline.hincrby(count.group.counters, f"{count.group.name}:{outcome}", number)
            for question, number in count.asks.items():
                pipeline.zincrby(count.group.asks(day), number, question)
            if count.asks:
                pipeline.zremrangebyrank(count.group.asks(day), 0, -count.max_asks - 1)
                pipeline.expire(count.group.asks(day), ASKS_KEPT)
            sizes.append(len(pipeline) - before)
        answers = iter(self._run(lambda: pipeline.execute(raise_on_error=False)))
        return [
            next((a for a in [next(answers) for _ in range(size)] if isinstance(a, Exception)), None) for size in sizes
        ]

    def most_requested(self, group: Group, now: float) -> list[tuple[str, int]]:
        """Return the questions of today and yesterday (UTC) with their number of requests, the most requested first."""
        today = datetime.fromtimestamp(now, UTC).date()
        pipeline = self._redis.pipeline(transaction=False)
        for day in (today, today - timedelta(days=1)):
            pipeline.zrange(group.asks(day.isoformat()), 0, -1, desc=True, withscores=True)
        total: dict[str, int] = {}
        for member, score in (pair for answer in self._run(pipeline.execute) for pair in answer):
            question = member.decode("utf-8", "replace")
            total[question] = total.get(question, 0) + int(score)
        return sorted(total.items(), key=lambda item: (-item[1], item[0]))

    def counters(self, environment: str) -> dict[str, int]:
        """Return every counter of an environment in Redis, by `<group>:<outcome>`."""
        key = Group(environment, "").counters
        found = cast(dict[bytes, bytes], self._run(lambda: self._redis.hgetall(key)))
        return {name.decode("utf-8", "replace"): int(number) for name, number in found.items()}

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _run(self, action: Callable[[], Any]) -> Any:
        """Return the response of Redis; after a failure, raise at once for the next `pause_seconds`."""
        if self._problem:
            raise CacheUnavailableError(self._problem)
        if time.monotonic() < self._paused_until:
            raise CacheUnavailableError("Redis did not respond a moment ago")
        try:
            return action()
        except redis.ResponseError as error:
            raise CacheRefusedError(str(error)) from error
        except (redis.RedisError, OSError) as error:
            self._paused_until = time.monotonic() + self._pause_seconds
            logger.warning("Redis did not respond (%s); no further attempt for %s s", error, self._pause_seconds)
            raise CacheUnavailableError(f"{type(error).__name__}: {error}") from error


def _client(url: str, timeout_seconds: float) -> tuple[redis.Redis, str | None]:
    """Return a client of a URL, and None; or, if the options fit no connection, one without them, and what is wrong.

    Raises ValueError if the rest of the URL is invalid.
    """

    def client(address: str) -> redis.Redis:
        return redis.Redis.from_url(
            address,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    try:
        found = client(url)
        # redis-py checks most options only when it makes a connection.
        found.connection_pool.connection_class(**found.connection_pool.connection_kwargs)
    except (TypeError, ValueError, redis.RedisError) as error:
        problem = f"INSIGHTS_REDIS_URL has an option that redis-py does not take ({error}). Correct or remove it."
        return client(url.partition("?")[0]), problem
    return found, None
