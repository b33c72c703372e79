"""Masks personal columns in SQL by their `meta.pii`, with a key that the server never logs.

PostgreSQL has no built-in HMAC, but HMAC is two sha256 with two blocks that are derived from the key (RFC 2104). The
blocks are sent as binary COPY data to a temporary table, because a statement, a bound parameter or a failed text COPY
could show them in the server's log or in pg_stat_activity.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from psycopg import sql

from orchestration.exports.definitions import Pii
from orchestration.warehouse.database import Database

BLOCK_BYTES = sha256().block_size
INNER, OUTER = 0x36, 0x5C
DIGITS = 32  # of the 64 hexadecimal ones: 128 bits, as many as a UUID has
KEY_ID_DIGITS = 16
# Not an organization's id, whose HMAC is that organization's own key.
_KEY_ID_OF = b"orgo-insights export key"

HOW: dict[Pii, str | None] = {
    "identifier": "hmac-sha256",
    "name": "hmac-sha256",
    "key": "hmac-sha256",
    "free_text": "redacted",
    "birth_date": "first day of the year",
    "none": None,
}

_HMAC = sql.SQL(
    "left(encode(sha256((select outer_block from pg_temp.export_key) || sha256("
    "(select inner_block from pg_temp.export_key) || convert_to(({value})::text, 'UTF8'))), 'hex'), {digits})"
)
_EACH = sql.SQL(
    "case when {value} is not null then array(select {masked} from unnest({value}) as element (value) order by 1) end"
)
_REDACTED = sql.SQL("case when {value} is not null then '[redacted]' end")
_YEAR = sql.SQL("date_trunc('year', ({value})::timestamp)::date")


class Blocks(NamedTuple):
    """The two blocks of one organization's key."""

    inner: bytes
    outer: bytes


def key_id(key: bytes) -> str:
    """Return the id of a key, the HMAC of a constant: equal ids mean equal masks, and an id reveals no key."""
    return hmac.digest(key, _KEY_ID_OF, "sha256").hex()[:KEY_ID_DIGITS]


def key_blocks(key: bytes, organization_id: UUID) -> Blocks:
    """Return the blocks of an organization's key, which is the HMAC of its id with the installation's key."""
    own = hmac.digest(key, str(organization_id).encode(), "sha256").ljust(BLOCK_BYTES, b"\0")
    return Blocks(bytes(byte ^ INNER for byte in own), bytes(byte ^ OUTER for byte in own))


def send_blocks(db: Database, blocks: Blocks) -> None:
    """Store the blocks for `masked` until the end of the session, which must be in autocommit mode."""
    db.execute("create temporary table export_key (inner_block bytea, outer_block bytea)")
    statement = "copy pg_temp.export_key from stdin (format binary)"
    with db.errors(), db.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["bytea", "bytea"])
        copy.write_row(blocks)


def masked(value: sql.Composable, data_type: str, pii: Pii) -> tuple[sql.Composable, str]:
    """Return the SQL of a masked column and its type; NULL stays NULL.

    An array is masked by element and sorted by the masked values, because the original order would reveal something.
    """
    how = HOW[pii]
    if how == "redacted":
        return _REDACTED.format(value=value), "text"
    if how == "first day of the year":
        return _YEAR.format(value=value), "date"
    if how is None:
        return value, data_type
    if data_type.endswith("[]"):
        element = _HMAC.format(value=sql.Identifier("element", "value"), digits=DIGITS)
        return _EACH.format(value=value, masked=element), "text[]"
    return _HMAC.format(value=value, digits=DIGITS), "text"
