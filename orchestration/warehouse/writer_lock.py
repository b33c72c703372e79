"""The lock of the one writer (design, rule 9), because two processes that write the same relations would deadlock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from psycopg.pq import TransactionStatus

from orchestration.errors import BusyError
from orchestration.warehouse.access.ownership import check_bookkeeping
from orchestration.warehouse.claims import CLAIMS, held
from orchestration.warehouse.database import Database
from orchestration.warehouse.releases import check_release

CLAIM = "writer"
DOING = "writing to this warehouse"
# The database may have defaults that end this session or let it change nothing.
_OVERRIDES = (
    "set default_transaction_isolation to 'read committed'; set default_transaction_read_only to off;"
    " set statement_timeout to 0; set idle_session_timeout to 0"
)


@contextmanager
def writer_lock(db: Database) -> Iterator[int]:
    """Hold the writer lock for a block; yields the number with which each writing transaction proves it.

    Raises like `check_release` and `claims.held`.
    """
    check_release(db)
    with held(db, CLAIM, DOING) as number:
        yield number


@contextmanager
def without_writers(db: Database, seconds: float) -> Iterator[None]:
    """Hold the writer lock for a block of `insights init`, for which a writer is waited `seconds`.

    A database that was never prepared has no such lock, and nothing that writes; else the connection of `db` must be in
    no transaction. It is in autocommit mode during the block, unless it is in a transaction. Raises BusyError, which
    names the writer, and like `check_bookkeeping`, because what others put in place of the claims would run with the
    rights of this user.
    """
    connection = db.connection
    was_autocommit = connection.autocommit
    if connection.info.transaction_status == TransactionStatus.IDLE:
        connection.autocommit = True
        connection.execute(_OVERRIDES)
    try:
        check_bookkeeping(db)
        if db.missing({CLAIMS: db.ops(CLAIMS)}):
            yield
            return
        connection.autocommit = True
        with _held_by_init(db, seconds):
            yield
    finally:
        if not connection.closed and connection.autocommit != was_autocommit:
            connection.autocommit = was_autocommit


@contextmanager
def _held_by_init(db: Database, seconds: float) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(held(db, CLAIM, DOING, seconds))
        except BusyError as error:
            raise error.extended("insights init replaces what writers use, and has changed nothing.") from error
        yield
