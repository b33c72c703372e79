"""How much of the warehouse's changes is not in the repository yet, by PostgreSQL's archiver (section 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.warehouse.database import Database

# What PostgreSQL writes into a new segment although nothing has changed: a header and records about itself, in bytes.
IDLE_BYTES = 512
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_ARCHIVER = """
    select
        current_setting('archive_mode') <> 'off',
        (select setting::integer from pg_settings where name = 'archive_timeout'),
        pg_size_bytes(current_setting('wal_segment_size')),
        case when pg_is_in_recovery() then null else (pg_current_wal_lsn() - '0/0')::bigint end,
        a.last_archived_wal,
        coalesce(a.last_archived_time, pg_postmaster_start_time()),
        a.failed_count,
        case when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then a.last_failed_time end,
        clock_timestamp()
    from pg_stat_archiver as a
"""


@dataclass(frozen=True)
class Archive:
    """The state of the archiver at a time.

    `position` is where changes are written now and `archived` the end of the newest archived segment, both in bytes
    since the beginning of the WAL; None if unknown. `newest` is when that segment was archived, `failing_since` when
    the archiver last failed, if it has not succeeded since. Times are in UTC.
    """

    is_on: bool
    timeout_seconds: int
    position: int | None
    archived: int | None
    segment_bytes: int
    newest: datetime
    failures: int
    failed_at: datetime | None
    read_at: datetime

    def unarchived_seconds(self, now: datetime | None = None) -> float:
        """Return the age of the oldest change that a loss of the server would lose at a time: an upper bound.

        It is 0 if everything is archived. A change in the segment that is being written is at most `archive_timeout`
        old while the archiver works. Otherwise, nothing after the newest archived segment is safe.
        """
        age = max(0.0, ((now or self.read_at) - self.newest).total_seconds())
        written = (
            self.segment_bytes if self.position is None or self.archived is None else self.position - self.archived
        )
        if self.failed_at is None and written <= IDLE_BYTES:
            return 0.0
        is_current = self.failed_at is None and written < self.segment_bytes and self.timeout_seconds > 0
        return min(age, float(self.timeout_seconds)) if is_current else age


def read_archive(db: Database) -> Archive:
    """Return the state of the archiver now."""
    is_on, timeout, size, position, name, newest, failures, failed, now = db.rows(_ARCHIVER)[0]
    return Archive(
        is_on,
        timeout,
        position,
        _end(name, size),
        size,
        newest.astimezone(UTC),
        failures,
        failed.astimezone(UTC) if failed else None,
        now.astimezone(UTC),
    )


def _end(name: str | None, size: int) -> int | None:
    """Return where a segment ends, by its name: timeline, and two parts of its number."""
    found = _SEGMENT.match(name or "")
    if not found:
        return None
    return (int(found[0][8:16], 16) * (2**32 // size) + int(found[0][16:24], 16) + 1) * size
