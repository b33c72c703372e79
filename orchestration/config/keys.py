"""Finds secrets that are easy to guess although they are long enough."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

LEAST_BYTES = 32  # the output length of HMAC-SHA256 (RFC 2104)
LEAST_DIFFERENT = 8  # a random key of 32 hexadecimal digits has fewer once in 10 million
REMEDY = "make one with: openssl rand -hex 32"


def weakness(key: bytes) -> str | None:
    """Return why a key is too easy to guess, as the rest of a sentence that begins with its name; None if it is not.

    The sentence does not show the key.
    """
    if len(key) < LEAST_BYTES:
        return f"must have at least {LEAST_BYTES} bytes; {REMEDY}"
    if len(set(key)) < LEAST_DIFFERENT:
        return f"has fewer than {LEAST_DIFFERENT} different characters, so it can be guessed; {REMEDY}"
    if any(key[period:] == key[:-period] for period in range(1, min(LEAST_BYTES - 1, len(key) // 2) + 1)):
        return f"repeats a part of fewer than {LEAST_BYTES} bytes, so it can be guessed; {REMEDY}"
    _, most = Counter(after - before for before, after in pairwise(key)).most_common(1)[0]
    if 2 * most >= len(key):
        return f"is mostly a sequence such as abc or 321, so it can be guessed; {REMEDY}"
    return None
