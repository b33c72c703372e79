"""What the role of exports needs in the database, and the secret that proves the key of the masks (decision D174)."""

from __future__ import annotations

import hmac

from psycopg import sql

from orchestration.warehouse.database import Database
from orchestration.warehouse.script import run_script

# Its HMAC with the key is stored. It differs from what other HMACs with the key are of: ids and the id of the key.
_SECRET_OF = b"orgo-insights proof of the export key"
_STORE = """
    insert into {} as stored (purpose, secret) select 'export_masks', secret from pg_temp.export_secret
    on conflict (purpose) do update set secret = excluded.secret, created_at = clock_timestamp()
    where stored.secret <> excluded.secret
"""


def prepare(db: Database) -> bool:
    """Create tables, functions and grants of exports, and store the secret of INSIGHTS_EXPORT_KEY if that is set.

    Part of `insights init`. Returns whether the database has a secret now. Raises MisconfiguredError for a weak key.
    """
    names, warehouse = db.names, db.settings.insights.warehouse
    export = sql.Identifier(warehouse.export_user)
    run_script(
        db,
        "exports.sql",
        ops=sql.Identifier(names.ops_schema),
        etl=sql.Identifier(warehouse.write_user),
        export=export,
        ro=sql.Identifier(warehouse.read_only_user),
        etl_name=sql.Literal(warehouse.write_user),
        export_name=sql.Literal(warehouse.export_user),
        ops_name=sql.Literal(names.ops_schema),
    )
    for schema in (names.marts_schema, names.personal_schema, names.ops_schema):
        db.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), export))
    if db.settings.has_export_key:
        _store(db, proof_secret(db.settings.export_key))
    query = sql.SQL("select exists (select from {} where purpose = 'export_masks')").format(db.ops("secret_keys"))
    return bool(db.value(query))


def _store(db: Database, secret: bytes) -> None:
    """Store the secret, sent as binary COPY data, since a parameter could be in the server's log."""
    db.execute("create temporary table export_secret (secret bytea) on commit drop")
    with db.connection.cursor() as cursor, cursor.copy("copy pg_temp.export_secret from stdin (format binary)") as copy:
        copy.set_types(["bytea"])
        copy.write_row([secret])
    db.execute(sql.SQL(_STORE).format(db.ops("secret_keys")))


def proof_secret(key: bytes) -> bytes:
    """Return the secret that the database stores of the key of the masks: 32 bytes, which do not reveal the key."""
    return hmac.digest(key, _SECRET_OF, "sha256")
