"""Tells people by webhook and by mail (specification, section 6.3). A failed delivery is an answer, no error."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from orchestration.config.files import Settings

SMTP_PORTS = {"smtp": 25, "smtps": 465}


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
    with mail_client(server, rules.timeout_seconds) as client:
        client.send_message(message)


@contextmanager
def mail_client(server: str, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
    """Yield a client of a mail server by its URL, with TLS where the server offers it, and logged in.

    Raises OSError, ValueError or SMTPException, whose texts may name the server; `reason_of` gives one that does not
    show its password.
    """
    parts = urlsplit(server)
    host, port = parts.hostname or "localhost", parts.port or SMTP_PORTS[parts.scheme]
    context = ssl.create_default_context()
    if parts.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout_seconds, context=context)
    else:
        client = smtplib.SMTP(host, port, timeout=timeout_seconds)
    with client:
        client.ehlo()
        if parts.scheme == "smtp" and client.has_extn("starttls"):
            client.starttls(context=context)
        if parts.username:
            client.login(unquote(parts.username), unquote(parts.password or ""))
        yield client


def reason_of(error: Exception) -> str:
    """Return the reason of a failure; an error of urllib may carry the address, which is a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the answer was {error.code} {error.reason}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the answer was {error.smtp_code}"
    if isinstance(error, ValueError):
        return "its address is invalid"
    return str(getattr(error, "reason", None) or error or type(error).__name__)
