"""The public keys that RS256 and ES256 tokens are verified with: a JWKS file or an address (RFC 7517)."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import jwt

from orchestration.config.addresses import is_unencrypted
from orchestration.config.variables import TOKEN_JWKS
from orchestration.errors import MisconfiguredError, UnavailableError

# Keys are read again after REFRESH_SECONDS, and for a key id that is unknown, but not before PAUSE_SECONDS, so that
# tokens with invented key ids do not become requests to the issuer.
REFRESH_SECONDS, PAUSE_SECONDS, TIMEOUT_SECONDS = 3600.0, 30.0, 1.0
MAX_BYTES = 1 << 20
KEY_TYPES = {"RS256": "RSA", "ES256": "EC"}


class KeySet:
    """The keys of one algorithm by key id. Safe to share between threads."""

    def __init__(self, place: str, algorithm: str) -> None:
        """Read the keys at once. Raises MisconfiguredError if there is none, UnavailableError without an answer."""
        self._place, self._algorithm = place, algorithm
        self._lock = threading.Lock()
        self._keys = self._read()
        self._read_at = time.monotonic()

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key with this id, or the only key if a token names none; None if there is no such key."""
        self._refresh(key_id)
        keys = self._keys
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _refresh(self, key_id: str | None) -> None:
        age = time.monotonic() - self._read_at
        is_due = age >= REFRESH_SECONDS or (key_id is not None and key_id not in self._keys and age >= PAUSE_SECONDS)
        if not is_due or not self._lock.acquire(blocking=False):  # one thread reads; the others use what is known
            return
        try:
            self._read_at = time.monotonic()
            self._keys = self._read()
        except (MisconfiguredError, UnavailableError):
            if key_id not in self._keys:
                raise
        finally:
            self._lock.release()

    def _read(self) -> Mapping[str, jwt.PyJWK]:
        try:
            listed = json.loads(_content(self._place))["keys"]
            wanted = [key for key in listed if self._is_usable(key)]
            keys = {str(key.get("kid", "")): jwt.PyJWK(key, self._algorithm) for key in wanted}
        except (ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
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
        with urllib.request.urlopen(place, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http or https, see above
            content: bytes = answer.read(MAX_BYTES)
            return content
    except (OSError, urllib.error.URLError) as error:
        raise UnavailableError(f"The address of {TOKEN_JWKS} does not answer.") from error
