"""Masks personal columns in SQL by their `meta.pii`, with a key that the server never logs.

PostgreSQL has no built-in HMAC, but HMAC is two sha256 with two blocks that are derived from the key (RFC 2104). The
blocks are sent as binary COPY data to a temporary table, because a statement, a bound parameter or a failed text COPY
could show them in the server's log or in pg_stat_activity. Columns that the role of exports may not read are masked by
functions of the database (decision D174).
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from psycopg import sql

from orchestration.errors import RefusedError
from orchestration.exports.definitions import Column, Pii
from orchestration.warehouse.access.export_role import proof_secret
from orchestration.warehouse.database import Database
from orchestration.warehouse.names import Names

BLOCK_BYTES = sha256().block_size
INNER, OUTER = 0x36, 0x5C
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

_BLOCKS = "(select inner_block from pg_temp.export_key), (select outer_block from pg_temp.export_key)"
_HMAC = sql.SQL(f"{{mask}}(({{value}})::text, {_BLOCKS})")
_EACH = sql.SQL(
    "case when {value} is not null then array(select {masked} from unnest({value}) as element (value) order by 1) end"
)
_ROWS = sql.SQL("{function}({organization}, {blocks}, (select proof from pg_temp.export_key))")
_UNKNOWN_KEY = (
    "The database does not know this INSIGHTS_EXPORT_KEY ({detail}). After a change of the key, run insights init with"
    " the new one in its environment."
)


class Blocks(NamedTuple):
    """The two blocks of one organization's key, and the proof that they are made from the installation's key."""

    inner: bytes
    outer: bytes
    proof: bytes


def key_id(key: bytes) -> str:
    """Return the id of a key, the HMAC of a constant: equal ids mean equal masks, and an id reveals no key."""
    return hmac.digest(key, _KEY_ID_OF, "sha256").hex()[:KEY_ID_DIGITS]


def key_blocks(key: bytes, organization_id: UUID) -> Blocks:
    """Return the blocks of an organization's key, which is the HMAC of its id with the installation's key."""
    own = hmac.digest(key, str(organization_id).encode(), "sha256").ljust(BLOCK_BYTES, b"\0")
    inner, outer = bytes(byte ^ INNER for byte in own), bytes(byte ^ OUTER for byte in own)
    secret = proof_secret(key)
    return Blocks(inner, outer, sha256(secret + sha256(secret + inner + outer).digest()).digest())


def send_blocks(db: Database, blocks: Blocks) -> None:
    """Store the blocks for `masked` until the end of the session, which must be in autocommit mode.

    Raises RefusedError if the database knows another key, or none, and the session may not read the names anyway.
    """
    db.execute("create temporary table export_key (inner_block bytea, outer_block bytea, proof bytea)")
    statement = "copy pg_temp.export_key from stdin (format binary)"
    with db.errors(), db.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["bytea", "bytea", "bytea"])
        copy.write_row(blocks)
    query = sql.SQL("select {}(inner_block, outer_block, proof) from pg_temp.export_key").format(db.ops("prove_key"))
    db.saying({RefusedError: _UNKNOWN_KEY}).execute(query)


def masked_type(column: Column) -> str:
    """Return the type of a column in exports with masks."""
    how = HOW[column.pii]
    if how is None:
        return column.data_type
    if column.pii == "birth_date":
        return "date"
    return "text[]" if column.data_type.endswith("[]") and how != HOW["free_text"] else "text"


def masked(value: sql.Composable, column: Column, names: Names) -> sql.Composable:
    """Return the SQL of a masked `key`; NULL stays NULL.

    An array is masked by element and sorted by the masked values, because the original order would reveal something.
    """
    mask = names.ops("mask")
    if column.data_type.endswith("[]"):
        element = _HMAC.format(mask=mask, value=sql.Identifier("element", "value"))
        return _EACH.format(value=value, masked=element)
    return _HMAC.format(mask=mask, value=value)


def masked_rows(relation: str, organization_id: UUID, names: Names) -> sql.Composable:
    """Return the SQL of the masked rows of an organization in a relation (decision D174)."""
    organization = sql.SQL("{}::uuid").format(str(organization_id))
    return _ROWS.format(function=names.ops(f"masked_{relation}"), organization=organization, blocks=sql.SQL(_BLOCKS))
