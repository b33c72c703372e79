"""The metrics of the service in Prometheus' format.

The names of section 6.3 of the specification are recorded from them by deploy/prometheus, over all processes.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

MEDIA_TYPE = CONTENT_TYPE_LATEST
# Seconds; finest around the time that the specification allows (section 6.2).
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 5.0)


class Metrics:
    """Counts the answers of one process. Safe to share between threads."""

    def __init__(self) -> None:
        """Begin with no answers, in a registry of its own."""
        self._registry = CollectorRegistry()
        about = "Answers to requests with an access token, by route, status and outcome."
        self._requests = Counter("reports_api_requests", about, ("route", "status", "outcome"), registry=self._registry)
        about = "Duration of these answers, in seconds."
        self._seconds = Histogram(
            "reports_api_request_duration_seconds", about, buckets=BUCKETS, registry=self._registry
        )

    def observe(self, route: str, status: int, outcome: str, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(route, str(status), outcome).inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self._registry)
