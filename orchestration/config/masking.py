"""Removes secrets from messages: passwords in URLs and connection strings, and values of keys that name a secret."""

from __future__ import annotations

import json
import re

MASK = "***"
LONGEST = 100

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:webhook_url|token|password|passwd|secret|credentials?|fernet_key|api_key|access_key)$", re.I
)
_IN_URL = re.compile(r"(://[^\s/@:]*):.*@", re.S)
_PASSWORD_IN_URL = re.compile(r"://[^\s/@:]*:[^@]+@", re.S)
_REFERENCE = re.compile(r"\$\{\w+\}")
_IN_PARAMETERS = re.compile(r"((?:pass\w*|pwd|token|secret|\w*api_key)\s*=\s*)(?:'[^']*'|[^&\s'\"]+)", re.I)


def is_secret_key(key: str) -> bool:
    """Return whether the last part of a key names a secret."""
    return bool(_SECRET_KEY.search(key.rpartition(".")[2]))


def mask(text: str) -> str:
    """Return the text with its passwords masked."""
    return _IN_PARAMETERS.sub(rf"\1{MASK}", _IN_URL.sub(rf"\1:{MASK}@", text))


def has_password(text: str) -> bool:
    """Return whether a URL or a connection string has a password or token that is no `${NAME}`."""
    without = _REFERENCE.sub("", text)
    return bool(_PASSWORD_IN_URL.search(without) or _IN_PARAMETERS.search(without))


def shown(key: str, value: object, longest: int | None = LONGEST) -> str:
    """Return a value as one line of masked JSON, truncated to `longest` characters unless that is None."""
    if value and _is_secret(key, value):
        return MASK
    if isinstance(value, dict | list):
        value = _masked_within(value)
    return _cut(mask(json.dumps(value, ensure_ascii=False, default=str)), longest)


def as_written(key: str, text: str) -> str:
    """Return the text of a value as written in its file, masked and truncated for a message."""
    return MASK if _is_secret(key, text) else _cut(mask(text), LONGEST)


def _is_secret(key: str, value: object) -> bool:
    """Return whether a value is a secret: by its key, or because a mail address is the URL of a webhook by mistake."""
    return is_secret_key(key) or (key.rpartition(".")[2] == "mail" and "://" in str(value))


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[: longest - 3]}..."


def _masked_within(value: object) -> object:
    if isinstance(value, dict):
        return {k: MASK if _is_secret(str(k), v) else _masked_within(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_masked_within(item) for item in value]
    return value
