"""Sends one mail through a server of SMTP, within a time limit for the whole session."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from orchestration.config.addresses import is_this_machine
from orchestration.cut_off import cut_off

SMTP_PORTS = {"smtp": 25, "smtps": 465}


class UnencryptedError(smtplib.SMTPException):
    """The server offers no TLS, so the network would see the mail."""


class _Client(smtplib.SMTP):
    """A client that uses a connection which is already open."""

    def __init__(self, connection: socket.socket, host: str, timeout_seconds: float) -> None:
        self._given = connection
        super().__init__(host, timeout=timeout_seconds)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._given


def send_mail(server: str, mail: EmailMessage, timeout_seconds: float, *, needs_tls: bool = False) -> None:
    """Send a mail by the URL of a server, with TLS where the server offers it; returns once the server has taken it.

    Only DNS and TCP connect can take longer than `timeout_seconds`. Raises OSError, ValueError or SMTPException, whose
    texts may name the server, and UnencryptedError before the mail is sent if `needs_tls` and it would cross the
    network without.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        with _session(server, timeout_seconds, deadline, needs_tls=needs_tls) as client:
            client.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"no answer within {timeout_seconds:g} s") from error
        raise


@contextmanager
def _session(server: str, timeout_seconds: float, deadline: float, *, needs_tls: bool) -> Iterator[smtplib.SMTP]:
    """Yield a client that is greeted, encrypted if possible, and logged in."""
    parts = urlsplit(server)
    if parts.scheme not in SMTP_PORTS:
        raise ValueError("the address of the mail server must begin with smtp:// or smtps://")
    host, port = parts.hostname or "localhost", parts.port or SMTP_PORTS[parts.scheme]
    context = ssl.create_default_context()
    plain = socket.create_connection((host, port), timeout_seconds)
    with closing(plain), cut_off(plain, deadline):
        is_encrypted = parts.scheme == "smtps"
        connection = context.wrap_socket(plain, server_hostname=host) if is_encrypted else plain
        with closing(connection), closing(_Client(connection, host, timeout_seconds)) as client:
            client.ehlo()
            if not is_encrypted and client.has_extn("starttls"):
                client.starttls(context=context)
                is_encrypted = True
            if needs_tls and not is_encrypted and not is_this_machine(host):
                raise UnencryptedError("the mail server offers no TLS, which would show the mail to the network")
            if parts.username:
                client.login(unquote(parts.username), unquote(parts.password or ""))
            yield client
            with suppress(OSError, smtplib.SMTPException):
                client.quit()  # whatever the server says to the farewell, it has the mail
