"""How old the marts are, and in a serving database what was published when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from prometheus_client.core import Metric

from orchestration.monitoring.families import metric
from orchestration.warehouse.database import Database
from orchestration.warehouse.publications import newest_publication, published

MART = ("mart",)
SINCE = "seconds since 1970 UTC."


def mart_times(marts: Iterable[tuple[str, date | None, datetime | None]]) -> list[Metric]:
    """Return the metrics of marts as (name, horizon, when it was loaded), without those that no load writes."""
    known = [(name, up_to, loaded) for name, up_to, loaded in marts if up_to and loaded]
    days = [(name, datetime.combine(up_to, time.min, UTC).timestamp()) for name, up_to, _ in known]
    loads = [(name, loaded.timestamp()) for name, _, loaded in known]
    return [
        metric("insights_mart_data_up_to_timestamp_seconds", f"The day before which data ends, {SINCE}", MART, days),
        metric("insights_mart_loaded_timestamp_seconds", f"When the mart was loaded, {SINCE}", MART, loads),
    ]


def publications(db: Database) -> list[Metric]:
    """Return how old a serving database is; without a publication, it is late and has no other figure."""
    last = newest_publication(db)
    times = {
        "insights_publication_timestamp_seconds": ("When insights publish last changed something", "published_at"),
        "insights_publication_data_up_to_timestamp_seconds": ("Up to when changes are published", "loaded_through"),
        "insights_publication_snapshot_timestamp_seconds": ("When the snapshot was taken", "snapshot_moment"),
    }
    found = [
        metric(name, f"{about}, {SINCE}", (), [(getattr(last, moment).timestamp(),)] if last else [])
        for name, (about, moment) in times.items()
    ]
    is_late = last is None or last.is_late
    late = "Whether the published data ends longer ago than warehouse.publication_late_hours."
    ages = mart_times((one.name, one.data_up_to, one.loaded_at) for one in published(db, counts_rows=False))
    return [*found, metric("insights_publication_is_late", late, (), [(is_late,)]), *ages]
