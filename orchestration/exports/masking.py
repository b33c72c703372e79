"""How personal columns leave: the SQL that masks each kind of `meta.pii`, and the key that it is masked with.

PostgreSQL has no keyed hash built in, but it has sha256, and HMAC is two of them around two blocks made of the key (RFC
2104). The blocks reach the server as binary data of a COPY into a temporary table of the session: neither the text of a
statement nor a bound parameter nor the data of a COPY that fails can then show them in the server's log or in
pg_stat_activity.
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


def key_blocks(key: bytes, organization_id: UUID) -> Blocks:
    """The blocks of an organization's own key, which is the HMAC of its id under the installation's key."""
    own = hmac.digest(key, str(organization_id).encode(), "sha256").ljust(BLOCK_BYTES, b"\0")
    return Blocks(bytes(byte ^ INNER for byte in own), bytes(byte ^ OUTER for byte in own))


def send_blocks(db: Database, blocks: Blocks) -> None:
    """Put the blocks where `masked` looks for them, for the rest of the session, which is in autocommit mode."""
    db.execute("create temporary table export_key (inner_block bytea, outer_block bytea)")
    statement = "copy pg_temp.export_key from stdin (format binary)"
    with db.errors(), db.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["bytea", "bytea"])
        copy.write_row(blocks)


def masked(value: sql.Composable, data_type: str, pii: Pii) -> tuple[sql.Composable, str]:
    """A column as it leaves, and its type then; NULL stays NULL.

    An array is masked element by element, and ordered by the masks: the order of what they mask would tell of it.
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
