"""The public keys that RS256 and ES256 tokens are verified with: a JWKS file or an address (RFC 7517)."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import jwt

from orchestration.config.addresses import is_unencrypted
from orchestration.config.variables import TOKEN_JWKS
from orchestration.errors import MisconfiguredError, UnavailableError

# Keys are read again after REFRESH_SECONDS, and for a key id that is unknown, but not before PAUSE_SECONDS, so that
# tokens with invented key ids do not become requests to the issuer. While the issuer does not answer, the known
# keys stay valid for KEPT_SECONDS: enough to survive an outage, and still a limit for a revoked key. TIMEOUT_SECONDS is
# less than an answer may take.
REFRESH_SECONDS, PAUSE_SECONDS, KEPT_SECONDS, TIMEOUT_SECONDS = 3600.0, 30.0, 86_400.0, 1.0
MAX_BYTES = 1 << 20
KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}


logger = logging.getLogger(__name__)


class KeySet:
    """The keys of one algorithm by key id. Safe to share between threads."""

    def __init__(self, place: str, algorithm: str) -> None:
        """Read the keys at once. Raises MisconfiguredError if there is none, UnavailableError without an answer."""
        self._place, self._algorithm = place, algorithm
        self._lock = threading.Lock()
        self._keys = self._read()
        self._tried_at = self._read_at = monotonic()

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with this id, or the only key if a token names none; None if there is no such key.

        Raises UnavailableError if the place has given no keys for KEPT_SECONDS.
        """
        self._refresh(key_id)
        keys = self._keys
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _refresh(self, key_id: str | None) -> None:
        now = monotonic()
        age, is_unknown = now - self._read_at, key_id is not None and key_id not in self._keys
        is_wanted = age >= REFRESH_SECONDS or is_unknown
        if is_wanted and now - self._tried_at >= PAUSE_SECONDS and self._lock.acquire(blocking=False):
            try:  # one thread reads; the others use what is known
                self._tried_at = now
                self._keys, self._read_at = self._read(), now
            except (MisconfiguredError, UnavailableError) as error:
                logger.warning("The keys of tokens could not be read again: %s", error)
            finally:
                self._lock.release()
        if monotonic() - self._read_at >= KEPT_SECONDS:
            raise UnavailableError(f"The keys of {TOKEN_JWKS} are too old, and cannot be read again.")

    def _read(self) -> Mapping[str, jwt.PyJWK]:
        try:
            listed = json.loads(_content(self._place))["keys"]
            wanted = [key for key in listed if self._is_usable(key)]
            keys = {str(key.get("kid", "")): jwt.PyJWK(key, self._algorithm) for key in wanted}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, jwt.PyJWTError) as error:
            raise MisconfiguredError(f"{TOKEN_JWKS} is no JWKS: {type(error).__name__}") from error
        if not keys:
            raise MisconfiguredError(f"The JWKS of {TOKEN_JWKS} has no public key for {self._algorithm}.")
        return keys

    def _is_usable(self, key: Mapping[str, str]) -> bool:
        """Whether a key is public, of the type of the algorithm, and meant for signatures."""
        is_meant = key.get("use", "sig") == "sig" and key.get("alg", self._algorithm) == self._algorithm
        return is_meant and key.get("kty") == KEY_TYPES[self._algorithm]


def _content(place: str) -> bytes:
    parts = urlsplit(place)
    if parts.scheme not in ("http", "https"):
        try:
            return Path(place).read_bytes()
        except OSError as error:
            raise MisconfiguredError(f"The file of {TOKEN_JWKS} cannot be read: {error.strerror}") from error
    if is_unencrypted(place):
        raise MisconfiguredError(f"The address of {TOKEN_JWKS} must begin with https://, or anybody can change keys.")
    try:
        return _fetched(place)
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"The address of {TOKEN_JWKS} does not answer.") from error


def _fetched(place: str) -> bytes:
    """Return what an address answers within TIMEOUT_SECONDS; raises OSError or HTTPException."""
    ends, content = monotonic() + TIMEOUT_SECONDS, b""
    with _OPENER.open(place, timeout=TIMEOUT_SECONDS) as answer:
        while chunk := answer.read1(MAX_BYTES):
            content += chunk
            if len(content) > MAX_BYTES or monotonic() > ends:
                raise OSError("too long, or too slow")
    return content


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirects, which could lead to an address without encryption."""

    def redirect_request(self, *_: Any) -> None:
        """Return no request: the answer is an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)
