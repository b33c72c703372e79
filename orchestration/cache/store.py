"""Entries, leases and counts in Redis. Every call is bounded in time, and a Redis that did not answer is left alone."""

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

ASKS_KEPT = timedelta(days=2)  # today's counts and yesterday's


class CacheUnavailableError(Exception):
    """Redis cannot be reached, is too slow, or is being left alone after it was."""


class CacheRefusedError(Exception):
    """Redis answered, and did not do it: it is full, read-only, or holds something else under that key."""


@dataclass(frozen=True)
class Found:
    """The bytes under a key (None: nothing), and the newest load that the group is known to have."""

    raw: bytes | None
    known_load: int | None


@dataclass(frozen=True)
class Write:
    """One entry to be kept: `raw` for `hard_seconds`, in a group that keeps `max_keys` of them.

    `is_asked` says that somebody asked for it just now; the entry of a warm-up keeps the warmth that it had.
    """

    key: Key
    raw: bytes
    load: int
    hard_seconds: float
    max_keys: int
    is_asked: bool = True


@dataclass(frozen=True)
class Counts:
    """What is to be added to the counts of a group: outcomes by name, and questions by their text."""

    group: Group
    outcomes: Mapping[str, int]
    asks: Mapping[str, int]
    max_asks: int


class Store:
    """One Redis. Safe to share between threads."""

    def __init__(self, url: str, timeout_seconds: float, pause_seconds: float) -> None:
        """Describe the Redis at `url`; raises MisconfiguredError, without showing it, unless it is a URL of a Redis."""
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=timeout_seconds,
                socket_connect_timeout=timeout_seconds,
                retry=Retry(NoBackoff(), 0),
                health_check_interval=0,
            )
        except ValueError as error:
            raise MisconfiguredError("INSIGHTS_REDIS_URL must be like redis://:password@host:6379/1.") from error
        self._pause_seconds = pause_seconds
        self._left_alone_until = 0.0
        self._write = self._redis.register_script(WRITE)
        self._release = self._redis.register_script(RELEASE)

    def read(self, key: Key, asked_at: float) -> Found:
        """What lies under the key, in one round trip that also notes that it was asked for."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(key.entry)
        pipeline.get(key.group.load)
        pipeline.zadd(key.group.index, {key.name: int(asked_at * 1000)}, xx=True)
        raw, load, _ = self._run(lambda: pipeline.execute(raise_on_error=False))
        if isinstance(raw, redis.ResponseError):
            raise CacheRefusedError(str(raw)) from raw
        return Found(raw, int(load) if isinstance(load, bytes) and load.isdigit() else None)

    def write(self, writes: Sequence[Write], written_at: float) -> list[CacheRefusedError | None]:
        """Keep entries, all in one round trip; the coldest leave where a group would have more than it may.

        Returns for each why it was refused, None for those that were kept.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for write in writes:
            group = write.key.group
            self._write(
                keys=[write.key.entry, group.index, group.load],
                args=[
                    *(write.raw, max(1, int(write.hard_seconds * 1000)), write.max_keys, write.load),
                    *(write.key.name, int(written_at * 1000), "" if write.is_asked else "NX"),
                ],
                client=pipeline,
            )
        answers = self._run(lambda: pipeline.execute(raise_on_error=False))
        return [CacheRefusedError(str(a)) if isinstance(a, Exception) else None for a in answers]

    def take_lease(self, key: Key, token: str, seconds: float) -> bool:
        """Whether nobody else computes this entry; from now on, for so long, we do."""
        return bool(self._run(lambda: self._redis.set(key.lease, token, nx=True, px=max(1, int(seconds * 1000)))))

    def release_lease(self, key: Key, token: str) -> None:
        """Give the lease back, if it still is ours."""
        self._run(lambda: self._release(keys=[key.lease], args=[token]))

    def add_counts(self, counts: Iterable[Counts], now: float) -> list[Exception | None]:
        """Add to outcomes and asks; returns for each why Redis did not, None where it did."""
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

    def most_asked(self, group: Group, now: float) -> list[tuple[str, int]]:
        """The questions that were asked most today and yesterday, with how often, the most first."""
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
        """Every counter of an environment, `<group>:<outcome>`, as kept in Redis."""
        key = Group(environment, "").counters
        found = cast(dict[bytes, bytes], self._run(lambda: self._redis.hgetall(key)))
        return {name.decode("utf-8", "replace"): int(number) for name, number in found.items()}

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _run(self, action: Callable[[], Any]) -> Any:
        """What Redis answers; a failure to reach it makes this process leave it alone for a while."""
        if time.monotonic() < self._left_alone_until:
            raise CacheUnavailableError("Redis did not answer a moment ago")
        try:
            return action()
        except redis.ResponseError as error:
            raise CacheRefusedError(str(error)) from error
        except (redis.RedisError, OSError) as error:
            self._left_alone_until = time.monotonic() + self._pause_seconds
            logger.warning("Redis did not answer (%s); not asked again for %s s", error, self._pause_seconds)
            raise CacheUnavailableError(f"{type(error).__name__}: {error}") from error
