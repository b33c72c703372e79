"""Posts a case to Core Services over HTTP, once, with limits of time and memory, and classifies the response.

It uses http.client with a deadline of its own: HTTP libraries limit the time between two bytes, but not that of a whole
response that arrives byte by byte, and their pools, redirects and retries are not wanted here.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from urllib.parse import urlsplit

from orchestration.config.addresses import is_this_machine, is_unencrypted
from orchestration.cut_off import cut_off
from orchestration.errors import MisconfiguredError
from orchestration.reviews.proxies import ProxyRefusedError, proxy_for
from orchestration.reviews.redaction import without_secrets

INTERIM, SUCCESSES, REDIRECTIONS, CLIENT_ERRORS, SERVER_ERRORS = 100, 200, 300, 400, 500  # first status of each class
SWITCHING_PROTOCOLS = 101  # the last answer in HTTP
CONFLICT = 409
NOT_ALLOWED = (401, 403, 407)
LATER = (408, 425, 429)  # server timeout, too early, too many requests
BYTES_READ = 65_536  # maximum read of a response body
_FAILURE = re.compile(r'\s*\{\s*"success"\s*:\s*false\b')  # of a body that is cut off
ANSWER_LENGTH = 500  # maximum stored characters of a response
UNENCRYPTED = (
    "INSIGHTS_CORE_API_URL begins with http://: INSIGHTS_CORE_API_TOKEN and the cases cross the network unencrypted."
    " Use https."
)


class Outcome(Enum):
    """What a response means for its case."""

    SENT = "sent"  # accepted now, or by an earlier attempt whose response was lost (409)
    REFUSED = "refused"  # this case is refused for good
    AGAIN = "again"  # a timeout, a broken connection, a status of LATER, a server error, or 2xx with success: false
    STOP = "stop"  # token or URL are wrong, so every other case would get the same response


@dataclass(frozen=True)
class Answer:
    """The outcome of one attempt, its text (short, printable, without the token) and the seconds of Retry-After."""

    outcome: Outcome
    text: str
    retry_after: float = 0.0


class CoreServices:
    """A client of Core Services: the URL for cases, and the bearer token."""

    def __init__(self, url: str, token: str | None, timeout_seconds: float) -> None:
        """Check URL and token; raises MisconfiguredError, whose message shows neither, if they are invalid."""
        self._timeout = timeout_seconds
        self._token = token
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        plain = url.isascii() and url.isprintable() and " " not in url
        if not plain or not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise MisconfiguredError(
                "INSIGHTS_CORE_API_URL must be like https://core.example.org/cases: http or https, a host, no spaces,"
                " no user or password (the token is INSIGHTS_CORE_API_TOKEN)."
            )
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise MisconfiguredError(
                "INSIGHTS_CORE_API_TOKEN has characters that a bearer token must not have, such as a space or a line"
                " end; remove them."
            )
        self._host = host
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = port or (443 if self._tls else 80)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._proxy = proxy_for("https" if self._tls else "http", host, self._port)
        self._secrets = [text for text in (token, self._proxy and self._proxy.authorization) if text]
        if self._proxy and not self._tls:
            self._target = f"http://{parts.netloc}{self._target}"
        is_open = is_unencrypted(url) or (not self._tls and self._proxy and not is_this_machine(self._proxy.host))
        # Set if the token crosses a network unencrypted.
        self.warning = UNENCRYPTED if token and is_open else None

    def post(self, case_id: str, payload: str) -> Answer:
        """Post a Case contract with its id as the idempotency key; returns after at most `timeout_seconds`."""
        deadline = time.monotonic() + self._timeout
        headers = {"Content-Type": "application/json", "Idempotency-Key": case_id}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._proxy and not self._tls:
            headers |= self._proxy.headers
        try:
            with self._connected(deadline) as connection:
                connection.request("POST", self._target, payload.encode(), headers)
                with connection.getresponse() as response:
                    body = _beginning(response)
                    said = f"{response.status} {response.getheader('Location', '')} {body}"
                    wait = _retry_after(response.getheader("Retry-After"))
                    return Answer(_meaning(response.status, body), self._clean(said), wait)
        except ProxyRefusedError as error:
            is_passing = error.status >= SERVER_ERRORS or error.status in LATER
            return Answer(Outcome.AGAIN if is_passing else Outcome.STOP, self._clean(str(error)))
        except (OSError, HTTPException, UnicodeError) as error:
            if time.monotonic() >= deadline:
                return Answer(Outcome.AGAIN, f"no answer within {self._timeout:g} s")
            return Answer(Outcome.AGAIN, self._clean(f"no answer: {error or type(error).__name__}"))

    @contextmanager
    def _connected(self, deadline: float) -> Iterator[HTTPConnection]:
        """Connect, and close the connection at `deadline`; only DNS and TCP connect can take a little longer."""
        address = (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)
        plain = socket.create_connection(address, self._timeout)
        with closing(plain), cut_off(plain, deadline):
            if self._tls:
                if self._proxy:
                    self._proxy.open_tunnel(plain, self._host, self._port)
                connection: HTTPConnection = HTTPSConnection(self._host, self._port, context=self._tls)
                connection.sock = self._tls.wrap_socket(plain, server_hostname=self._host)
            else:
                connection = HTTPConnection(self._host, self._port)
                connection.sock = plain
            connection.response_class = _FinalResponse
            with closing(connection):
                yield connection

    def _clean(self, text: str) -> str:
        """Return the text as it may be stored and shown: without secrets and control characters, truncated."""
        text = without_secrets(text, self._secrets)
        return " ".join("".join(c if c.isprintable() else " " for c in text[:ANSWER_LENGTH]).split())


class _FinalResponse(HTTPResponse):
    """The last response to a request: interim ones (1xx) only announce it; http.client skips no other than 100."""

    def begin(self) -> None:
        """Read status and headers of the first response that is not an interim one."""
        super().begin()
        while INTERIM <= self.status < SUCCESSES and self.status != SWITCHING_PROTOCOLS:
            # begin() does nothing while there are headers.
            self.headers = None  # type: ignore[assignment]
            super().begin()


def _beginning(response: HTTPResponse) -> str:
    """Return the beginning of a response body, "" if it cannot be read: the status alone decides the outcome."""
    try:
        return response.read(BYTES_READ).decode("utf-8", "replace")
    except IncompleteRead as error:
        return error.partial[:BYTES_READ].decode("utf-8", "replace")
    except (OSError, HTTPException):
        return ""


def _meaning(status: int, body: str) -> Outcome:
    if SUCCESSES <= status < REDIRECTIONS:
        return Outcome.AGAIN if _says_failure(body) else Outcome.SENT
    if status == CONFLICT:
        return Outcome.SENT
    if status < CLIENT_ERRORS or status in NOT_ALLOWED:
        return Outcome.STOP
    if status >= SERVER_ERRORS or status in LATER:
        return Outcome.AGAIN
    return Outcome.REFUSED


def _says_failure(body: str) -> bool:
    """Return whether a body is a JSON object whose `success` is false, or the beginning of one."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _FAILURE.match(body) is not None
    return isinstance(found, dict) and found.get("success") is False


def _retry_after(header: str | None) -> float:
    """Return the seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); 0 if it is invalid."""
    try:
        if header is None or header.strip().isdigit():
            return float(header or 0)
        date = parsedate_to_datetime(header)
        return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
