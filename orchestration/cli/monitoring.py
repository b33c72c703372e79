"""`insights doctor`, `metrics` and `alerts`: what operators look at, what monitoring reads, and who is told."""

from __future__ import annotations

import sys
from dataclasses import asdict
from types import ModuleType
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.sections import Group
from orchestration.cli.show import NEEDS_ATTENTION
from orchestration.cli.tables import show_records
from orchestration.cli.texts import say, warn

if TYPE_CHECKING:
    from orchestration.config.files import Settings


@click.command(epilog="Example: insights doctor --format json")
@options.form
def doctor(form: str) -> None:
    """Look at what Insights leans on, and say what to do.

    That is configuration, manifest, servers, grants, settings, indexes, statistics, messages and disks. It changes
    nothing. In a serving database, it looks at the newest publication instead of the source, loads and backups.
    The exit code is 3 if something needs attention or is broken, else 0.
    """
    from orchestration.monitoring.doctor import examine

    found = list(examine(_settings()))
    show_records([asdict(finding) for finding in found], form)
    sys.exit(NEEDS_ATTENTION if any(finding.state != "ok" for finding in found) else 0)


@click.group(cls=Group)
def metrics() -> None:
    """Tell Prometheus how loads, marts, reviews, exports and the cache are.

    The names are those of the specification, section 6.3; rules for alerts are in deploy/prometheus.
    """


@metrics.command(epilog="Example: insights metrics serve")
@options.host
def serve(host: str | None) -> None:
    """Serve the metrics over HTTP.

    Host and port are in insights.metrics. It connects as the role that loads, read-only, and answers while the
    warehouse does not. SIGTERM ends it.
    """
    _server().serve_metrics(_settings(), host)


@metrics.command(epilog="Example: insights metrics show > insights.prom")
def show() -> None:
    """Print the metrics once, in Prometheus' text format."""
    say(_server().metrics_text(_settings()).rstrip())


@click.group(cls=Group)
def alerts() -> None:
    """Tell people about failed DAGs, by webhook and mail."""


@alerts.command(epilog="Example: insights alerts test")
def test() -> None:
    """Send a message to each place of insights.alerts.

    The exit code is 1 if it did not reach one, or if none is configured.
    """
    from orchestration.config.files import load_settings
    from orchestration.errors import MisconfiguredError
    from orchestration.monitoring.alerts import deliver

    settings = load_settings()
    places = _places(settings)
    if not places:
        raise MisconfiguredError("Alerts go nowhere: set INSIGHTS_ALERT_WEBHOOK_URL, INSIGHTS_ALERT_SMTP_URL, or both.")
    failures = deliver(
        settings, "Test of Orgo Insights", f"This is a test from {settings.environment}. Nothing failed."
    )
    for failure in failures:
        warn(failure)
    say(f"Sent to {', '.join(places)}." if not failures else f"{len(failures)} of {len(places)} could not be reached.")
    sys.exit(1 if failures else 0)


def _places(settings: Settings) -> list[str]:
    mail = f"{settings.insights.etl.owner_email} by mail"
    return ["the webhook"] * bool(settings.alert_webhook) + [mail] * bool(settings.alert_smtp)


def _settings() -> Settings:
    from orchestration.config.files import load_server_settings

    return load_server_settings()


def _server() -> ModuleType:
    from orchestration.errors import MisconfiguredError

    try:
        from orchestration.monitoring import server
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"Metrics need {error.name}: install the requirements of requirements/metrics.txt."
        ) from error
    return server
