"""The metrics of the service in Prometheus' format, with the names of section 6.3 of the specification."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

WINDOW_SECONDS, WINDOW_ANSWERS = 300.0, 10_000  # what quantiles and shares are of: the newest answers of this time
QUANTILES = (0.5, 0.95, 0.99)
FAILED_STATUS = 500
FROM_CACHE = {"hits", "stale", "waited"}
COMPUTED = {"misses", "bypassed"}
MEDIA_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class _Seen:
    at: float
    seconds: float
    is_failed: bool
    outcome: str


class Metrics(Collector):
    """Counts the answers of one process. Safe to share between threads."""

    def __init__(self) -> None:
        """Begin with no answers, in a registry of its own."""
        self._lock = threading.Lock()
        self._seen: deque[_Seen] = deque(maxlen=WINDOW_ANSWERS)
        self._registry = CollectorRegistry()
        about = "Answers to requests with an access token, by route, status and outcome."
        self._requests = Counter("reports_api_requests", about, ("route", "status", "outcome"), registry=self._registry)
        self._registry.register(self)

    def observe(self, route: str, status: int, outcome: str, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(route, str(status), outcome).inc()
        with self._lock:
            self._seen.append(_Seen(time.monotonic(), seconds, status >= FAILED_STATUS, outcome))

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the quantiles and shares of the newest answers; nothing while there is no answer."""
        since = time.monotonic() - WINDOW_SECONDS
        with self._lock:
            newest = [seen for seen in self._seen if seen.at >= since]
        if not newest:
            return
        yield _quantiles(sorted(seen.seconds for seen in newest))
        errors = sum(seen.is_failed for seen in newest) / len(newest)
        yield GaugeMetricFamily(
            "reports_api_error_rate", "Share of the answers of five minutes with a status of 500 or more.", errors
        )
        found = sum(seen.outcome in FROM_CACHE for seen in newest)
        asked = found + sum(seen.outcome in COMPUTED for seen in newest)
        if asked:
            about = "Share of the answers of five minutes to dashboard questions that came from the cache."
            yield GaugeMetricFamily("insights_redis_cache_hit_ratio", about, found / asked)


def _quantiles(seconds: list[float]) -> Metric:
    name = "reports_api_request_duration_seconds"
    family = Metric(name, "Duration of the answers of five minutes, in seconds.", "summary")
    for quantile in QUANTILES:
        place = min(len(seconds) - 1, int(quantile * len(seconds)))
        family.add_sample(name, {"quantile": str(quantile)}, seconds[place])
    return family
