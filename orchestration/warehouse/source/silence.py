"""Says for how long Orgo had written nothing when the last load looked: no fault of loads (decision D255)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from psycopg import sql

from orchestration.config.model import Etl, silent_hours
from orchestration.config.tokens import WATCHED, Watched
from orchestration.warehouse.database import Database
from orchestration.warehouse.status import judged_moment

HOUR = 3600
State = Literal["fresh", "stale", "stopped"]


@dataclass(frozen=True)
class Silence:
    """A table that changes on every working day, as the last load saw it: its newest change, and when that load looked.

    `stale_hours` and `stopped_hours` are its limits.
    """

    table: Watched
    newest_at: datetime
    looked_at: datetime
    stale_hours: int
    stopped_hours: int

    @property
    def seconds(self) -> float:
        """For how long nothing had changed when the load looked."""
        return max(0.0, (self.looked_at - self.newest_at).total_seconds())

    @property
    def state(self) -> State:
        """Whether that is ordinary, too long, or so long that Orgo has stopped."""
        if self.seconds > self.stopped_hours * HOUR:
            return "stopped"
        return "stale" if self.seconds > self.stale_hours * HOUR else "fresh"

    def __str__(self) -> str:
        """Return it as a sentence about Orgo, not about the load."""
        says = "has stopped writing" if self.state == "stopped" else "may have stopped writing"
        limit = self.stopped_hours if self.state == "stopped" else self.stale_hours
        return (
            f"Orgo {says}: no row of {self.table} had changed for {self.seconds / HOUR:,.0f} hours (limit: {limit})"
            f" when the last load looked at {_moment(self.looked_at)}; the newest change is of"
            f" {_moment(self.newest_at)}. Loads work: look at Orgo, or at the replication that fills it."
        )


def silences(db: Database) -> list[Silence]:
    """Return what the last load saw of each table that changes daily; an empty one is left out.

    Raises NotPreparedError or NotBuiltError before `insights init` of this release.
    """
    query = sql.SQL(
        "select table_name, newest_at, counted_at from {}"
        " where table_name = any(%s) and newest_at is not null order by array_position(%s, table_name)"
    ).format(db.ops("source_counts"))
    rows = db.rows(query, [list(WATCHED), list(WATCHED)])
    return [_silence(db.settings.insights.etl, table, newest, judged_moment(db, at)) for table, newest, at in rows]


def silent(db: Database) -> list[Silence]:
    """Return the tables that had been silent for too long; raises like `silences`."""
    return [one for one in silences(db) if one.state != "fresh"]


def _silence(etl: Etl, table: Watched, newest_at: datetime, looked_at: datetime) -> Silence:
    return Silence(table, newest_at, looked_at, *silent_hours(etl, table))


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
