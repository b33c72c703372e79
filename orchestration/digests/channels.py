"""Delivers one digest by mail or to a webhook, once, and classifies what the server answered."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

from orchestration.config.addresses import is_unencrypted
from orchestration.config.files import Settings
from orchestration.config.outputs_model import DigestRecipient
from orchestration.digests.as_html import as_html
from orchestration.digests.as_json import as_json
from orchestration.digests.as_text import as_text
from orchestration.digests.contents import Digest
from orchestration.digests.words import Message
from orchestration.errors import MisconfiguredError
from orchestration.monitoring.alerts import reason_of
from orchestration.monitoring.mail import UnencryptedError, send_mail

# The same limits of time and memory, proxies, Retry-After and removal of secrets as for review cases.
from orchestration.reviews.core_services import Answer, Outcome
from orchestration.reviews.core_services import CoreServices as JsonClient
from orchestration.reviews.redaction import BEGINNING, without_secrets

REFUSED_FROM = 500  # SMTP: a lower code is passing
MAIL, WEBHOOK = "mail", "webhook"
KILOBYTE = 1024


@dataclass(frozen=True)
class Content:
    """A digest, ready to be delivered."""

    digest_id: UUID
    digest: Digest
    message: Message

    def without_pictures(self) -> Content:
        """Return the same without pictures; what they show is there in words."""
        charts = tuple(replace(chart, png=None) for chart in self.message.charts)
        return replace(self, message=replace(self.message, charts=charts))


def channel_of(recipient: DigestRecipient) -> str:
    """Return how a recipient gets digests: mail or webhook."""
    return MAIL if recipient.mail else WEBHOOK


def server_of(settings: Settings, recipient: DigestRecipient) -> str:
    """Return which server takes the digests of a recipient, so that one that is down is not tried for each of them."""
    try:
        host = urlsplit(settings.digest_webhook(recipient) or "").hostname
    except ValueError:
        host = None
    return channel_of(recipient) if recipient.mail else host or recipient.name


def deliver(settings: Settings, recipient: DigestRecipient, content: Content) -> Answer:
    """Deliver a digest; returns what became of it, without secrets. A failed delivery is an answer, no error."""
    limit = settings.insights.digests.max_kilobytes * KILOBYTE
    if recipient.mail:
        mail = _fitting(content, lambda one: mail_of(settings, recipient, one).as_bytes(), limit)
        return _by_mail(settings, mail_of(settings, recipient, mail)) if mail else _too_large(limit)
    fits = _fitting(content, lambda one: _document(one).encode(), limit)
    return _by_webhook(settings, recipient, fits) if fits else _too_large(limit)


def mail_of(settings: Settings, recipient: DigestRecipient, content: Content) -> EmailMessage:
    """Return the mail: text and HTML as alternatives, with the pictures inside of the HTML."""
    message, sender = content.message, settings.insights.alerts.mail_from
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.subject, sender, str(recipient.mail)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{content.digest_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message))
    # Short: a longer one would be folded and encoded, and mail programs would not find its picture.
    names = {chart.name: f"{chart.name}@insights" for chart in message.charts}
    mail.add_alternative(as_html(message, lambda chart: f"cid:{names[chart.name]}"), subtype="html")
    html = mail.get_body(("html",))
    for chart in message.charts:
        if html is not None and chart.png is not None:
            cid, file = f"<{names[chart.name]}>", f"{chart.name}.png"
            html.add_related(chart.png, "image", "png", cid=cid, filename=file, disposition="inline")
    return mail


def _fitting(content: Content, written: Callable[[Content], bytes], limit: int) -> Content | None:
    for one in (content, content.without_pictures()):
        if len(written(one)) <= limit:
            return one
    return None


def _too_large(limit: int) -> Answer:
    says = f"the message is larger than digests.max_kilobytes ({limit // KILOBYTE}) even without pictures"
    return Answer(Outcome.REFUSED, says)


def _document(content: Content) -> str:
    return json.dumps(as_json(content.digest_id, content.digest, content.message), ensure_ascii=False)


def _by_mail(settings: Settings, mail: EmailMessage) -> Answer:
    server = settings.alert_smtp
    if not server:
        return Answer(Outcome.STOP, "no mail server: set INSIGHTS_ALERT_SMTP_URL")
    try:
        send_mail(server, mail, settings.insights.digests.timeout_seconds, needs_tls=True)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        return _failure(error)
    return Answer(Outcome.SENT, "the mail server took it")


def _failure(error: OSError | ValueError | smtplib.SMTPException) -> Answer:
    match error:
        case UnencryptedError():
            return Answer(Outcome.STOP, str(error))
        case smtplib.SMTPRecipientsRefused():
            code = min(code for code, _ in error.recipients.values())
            outcome = Outcome.REFUSED if code >= REFUSED_FROM else Outcome.AGAIN
            return Answer(outcome, f"the mail server refused the address with {code}")
        case smtplib.SMTPDataError():
            outcome = Outcome.REFUSED if error.smtp_code >= REFUSED_FROM else Outcome.AGAIN
            return Answer(outcome, f"the mail server refused the message with {error.smtp_code}")
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPSenderRefused():
            return Answer(Outcome.STOP, f"the mail server refused the login or the sender with {error.smtp_code}")
        case _:
            return Answer(Outcome.AGAIN, reason_of(error))


def _by_webhook(settings: Settings, recipient: DigestRecipient, content: Content) -> Answer:
    url = settings.digest_webhook(recipient)
    if not url:
        return Answer(Outcome.STOP, "the environment variable of webhook_url is not set")
    if is_unencrypted(url):
        return Answer(Outcome.STOP, "webhook_url begins with http://, which would show the digest to the network")
    try:
        client = JsonClient(url, None, settings.insights.digests.timeout_seconds)
    except MisconfiguredError:
        return Answer(Outcome.STOP, "webhook_url must be like https://chat.example.org/hooks/T0")
    answer = client.post(str(content.digest_id), _document(content))
    return replace(answer, text=without_secrets(answer.text, _secrets(url)))


def _secrets(url: str) -> list[str]:
    """Return the parts of a webhook's address that an answer may repeat, the longest first."""
    parts = urlsplit(url)
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    whole = [part for part in (parts.path.strip("/"), parts.query) if part]
    found = {*whole, *(piece for piece in (*pieces, *map(unquote, pieces)) if len(piece) >= BEGINNING)}
    return sorted(found, key=len, reverse=True)
