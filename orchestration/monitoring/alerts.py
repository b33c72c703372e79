"""Tells people by webhook and by mail (specification, section 6.3). A failed delivery is an answer, no error."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage

from orchestration.config.files import Settings
from orchestration.monitoring.mail import send_mail


def deliver(settings: Settings, subject: str, text: str) -> list[str]:
    """Send a message to every place that is configured; returns why it did not reach one, without secrets.

    The webhook gets `{"text": ...}`, as Slack, Mattermost and others take it; mail goes to `etl.owner_email`.
    """
    ways: list[tuple[str, Callable[[], None]]] = []
    if address := settings.alert_webhook:
        ways.append(("webhook", lambda: _post(settings, address, f"{subject}\n{text}")))
    if server := settings.alert_smtp:
        ways.append(("mail", lambda: _mail(settings, server, subject, text)))
    failures = []
    for name, send in ways:
        try:
            send()
        except (OSError, ValueError, smtplib.SMTPException) as error:
            failures.append(f"{name}: {reason_of(error)}")
    return failures


def _post(settings: Settings, address: str, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(  # noqa: S310 -- the configuration allows http and https only
        address, body, {"Content-Type": "application/json", "User-Agent": "orgo-insights"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=settings.insights.alerts.timeout_seconds):  # noqa: S310
        pass


def _mail(settings: Settings, server: str, subject: str, text: str) -> None:
    rules = settings.insights.alerts
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, rules.mail_from, settings.insights.etl.owner_email
    message.set_content(text)
    send_mail(server, message, rules.timeout_seconds)


def reason_of(error: Exception) -> str:
    """Return the reason of a failure; an error of urllib may carry the address, which is a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the answer was {error.code} {error.reason}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the answer was {error.smtp_code}"
    if isinstance(error, ValueError):
        return "its address is invalid"
    return str(getattr(error, "reason", None) or error or type(error).__name__)
