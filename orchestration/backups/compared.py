"""Compares a restored warehouse with the real one, in which loads and purges go on meanwhile (decision D233)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from orchestration.warehouse.database import Database

_WRITER = """
    select c.claim_number, case when {is_held}(c) then c.claimed_at end
    from {claims} as c
    where c.claim_name = 'writer'
"""
_UNENDED = "select claim_number from {} where claim_name = 'writer' and released_at is null and claim_number >= %s"
_NEWEST_PURGE = "select coalesce(max(purge_log_id), 0) from {}"
_LOADS = "select relation_name, max(load_log_id) from {} group by 1"


@dataclass(frozen=True)
class Written:
    """What wrote to the warehouse last: the number of the claim and of the newest purge, 0 if there was none.

    `since` is since when, in UTC, it has been writing; None if nothing is writing.
    """

    number: int
    since: datetime | None
    newest_purge: int


def read_written(db: Database) -> Written:
    """Return what wrote to the warehouse last, and since when something has been writing now."""
    rows = db.rows(sql.SQL(_WRITER).format(claims=db.ops("claims"), is_held=db.ops("is_held")))
    number, since = rows[0] if rows else (0, None)
    newest = db.value(sql.SQL(_NEWEST_PURGE).format(db.ops("purge_log")))
    return Written(number, since.astimezone(UTC) if since else None, newest)


def has_half_a_load(restored: Database, before: Written) -> bool:
    """Return whether the restored state is from the midst of a load: one that was running `before`, or began later.

    Each claims the warehouse before it writes, and says so when it has ended.
    """
    first = before.number if before.since else before.number + 1
    return bool(restored.rows(sql.SQL(_UNENDED).format(restored.ops("claims")), [first]))


def compare(restored: Database, live: Database, before: Written) -> tuple[int, list[str]]:
    """Compare the rows of each relation that has not been loaded since; returns how many, and what differs.

    A relation that the warehouse has lost is not compared, nor is one that is loaded meanwhile; nothing is while a
    command writes, or if a purge began after `before`. Rows that were purged earlier are gone from both, because the
    cutoffs were applied again.
    """
    then, now = _loads(restored), _loads(live)
    same = {name: live.mart(name) for name, load in then.items() if now.get(name) == load}
    counts = {}
    for name in sorted(set(same) - live.missing(same)):
        query = sql.SQL("select count(*) from {}").format(same[name])
        counts[name] = (restored.value(query), live.value(query))
    # What a load or purge changed while rows were counted shows only afterwards.
    after = read_written(live)
    if after.since or after.newest_purge != before.newest_purge:
        return 0, []
    later = _loads(live)
    kept = {name: pair for name, pair in counts.items() if later.get(name) == then[name]}
    differing = [f"{name} has {a:,} restored and {b:,} now" for name, (a, b) in kept.items() if a != b]
    return len(kept), differing


def _loads(db: Database) -> dict[str, int]:
    return dict(db.rows(sql.SQL(_LOADS).format(db.ops("load_log"))))
