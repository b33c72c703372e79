"""What a loss would lose, worked out by hand from what PostgreSQL tells about its archiver."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.backups.archive import Archive

SEGMENT = 16 * 1024 * 1024
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
# The newest segment, the third, was archived 40 minutes ago; a segment is closed after five minutes at the latest.
RESTING = Archive(
    is_on=True,
    timeout_seconds=300,
    position=3 * SEGMENT,
    archived=3 * SEGMENT,
    segment_bytes=SEGMENT,
    newest=NOW - timedelta(minutes=40),
    failures=0,
    failed_at=None,
    read_at=NOW,
)


@pytest.mark.parametrize(
    ("written", "failed", "timeout", "seconds"),
    [
        (0, False, 300, 0),  # nothing was written since
        (512, False, 300, 0),  # what PostgreSQL writes about itself
        (513, False, 300, 300),  # a change in the current segment, which is closed in time
        (SEGMENT - 1, False, 300, 300),
        (SEGMENT, False, 300, 2400),  # a full segment waits: nothing after the newest one is safe
        (513, False, 0, 2400),  # nothing closes the current segment
        (0, True, 300, 2400),  # the archiver fails, perhaps with a segment that was not full
    ],
)
def test_changes_are_at_most_as_old_as_this(written: int, failed: bool, timeout: int, seconds: float) -> None:
    archive = replace(
        RESTING,
        position=3 * SEGMENT + written,
        timeout_seconds=timeout,
        failed_at=NOW - timedelta(minutes=1) if failed else None,
    )
    assert archive.unarchived_seconds() == seconds


def test_a_segment_that_was_archived_a_moment_ago_bounds_the_age() -> None:
    archive = replace(RESTING, position=3 * SEGMENT + 9000, newest=NOW - timedelta(seconds=20))
    assert archive.unarchived_seconds() == 20
    assert archive.unarchived_seconds(NOW + timedelta(seconds=100)) == 120


def test_without_any_archived_segment_everything_would_be_lost() -> None:
    assert replace(RESTING, archived=None).unarchived_seconds() == 2400
