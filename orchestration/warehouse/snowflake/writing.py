"""What commands that write do first in Snowflake: take the lease of the writer, and bring the profiles up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.config.files import Settings
from orchestration.warehouse.snowflake.connection import connected
from orchestration.warehouse.snowflake.guard import check_source_rows
from orchestration.warehouse.snowflake.lease import writer_lease
from orchestration.warehouse.snowflake.prepare import check_release, synchronize_profiles
from orchestration.warehouse.source.guard import Confirmed


@contextmanager
def writing(settings: Settings) -> Iterator[int]:
    """Hold the lease of the writer for a block, after the profiles are up to date; yields the number of the lease.

    The lease has a session of its own, because a thread renews it. Raises like `connected`, `check_release` and
    `writer_lease`.
    """
    with connected(settings) as session, connected(settings) as of_the_lease:
        check_release(session)
        with writer_lease(of_the_lease) as number:
            synchronize_profiles(session)
            yield number


def check_rows(settings: Settings, confirmed: Confirmed) -> None:
    """Check the rows of the operational tables; raises like `check_source_rows`."""
    with connected(settings) as session:
        check_source_rows(session, confirmed)
