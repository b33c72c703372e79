"""Removes secrets from what a server answers, also where it writes them escaped or cut off."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from functools import cache
from html.entities import html5

MASK = "***"
BEGINNING = 8  # characters of a secret from which its beginning alone is removed too


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with MASK for each secret and each beginning of one, in plain or escaped form, in any case.

    Known are the escapes of JSON, JavaScript, URLs (also twice) and HTML, base64 at any offset, and hexadecimal digits.
    """
    for secret in secrets:
        for form in (secret, secret.encode().hex(), *_base64_forms(secret)):
            text = _without(text, form)
    return text


def _without(text: str, secret: str) -> str:
    forms = [_character(c) for c in secret]
    begin = re.compile("".join(form.pattern for form in forms[:BEGINNING]), re.I)
    parts, place = [], 0
    while secret and (found := begin.search(text, place)):
        end = found.end()
        for form in forms[BEGINNING:]:
            more = form.match(text, end)
            if not more:
                break
            end = more.end()
        parts += [text[place : found.start()], MASK]
        place = end
    return "".join(parts) + text[place:]


@cache
def _character(character: str) -> re.Pattern[str]:
    """Return a pattern of one ASCII character in each form in which it may be written; UTF-16 adds a zero byte."""
    code, digits = ord(character), f"{ord(character):02x}"
    entities = "|".join(re.escape(name) for name in html5 if name.endswith(";") and html5[name] == character)
    named = f"|&(?:amp;)*(?:{entities})" if entities else ""
    # The character itself comes last: u and x also begin escapes.
    return re.compile(
        rf"(?:\\+u\{{?0*{digits}\}}?|\\+x{digits}|%(?:25)*{digits}|&(?:amp;)*\#(?:0*{code}|x0*{digits});?{named}"
        rf"|\\*{re.escape(character)})\x00?",
        re.I,
    )


def _base64_forms(secret: str) -> Iterable[str]:
    """Yield the digits that depend on the secret alone, for each of the three places at which it may begin."""
    for before, first in enumerate((0, 2, 3)):
        data = bytes(before) + secret.encode()
        last = -1 if len(data) % 3 else None
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            digits = encode(data).decode().rstrip("=")[first:last]
            if len(digits) >= BEGINNING:
                yield digits
