"""Serves the metrics over HTTP until it is told to end."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.manifest import scheduled_marts
from orchestration.monitoring.collector import Metrics


def metrics_text(settings: Settings) -> str:
    """Return all metrics now, in Prometheus' text format."""
    return generate_latest(_registry(settings)).decode()


def serve_metrics(settings: Settings, host: str | None = None) -> None:
    """Serve /metrics on `host`, else `metrics.host`, until SIGTERM or SIGINT (specification, section 6.3).

    It answers while the warehouse does not: then it has `insights_warehouse_up 0`. Raises MisconfiguredError if the
    address cannot be listened on.
    """
    rules, ends, registry = settings.insights.metrics, threading.Event(), _registry(settings)
    host = host or rules.host
    try:
        server, thread = start_http_server(rules.port, host, registry)
    except OSError as error:
        raise MisconfiguredError(
            f"Cannot listen on {host}:{rules.port} (insights.metrics in config/insights/config.yaml): {error}."
        ) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ends.set())
    logging.info("Serving metrics on http://%s:%s/metrics", host, server.server_port)
    ends.wait()
    server.shutdown()
    thread.join()


def _registry(settings: Settings) -> CollectorRegistry:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Not registered with auto_describe, so that nothing is read before the first scrape.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(settings, scheduled_marts(settings)))
    return registry
