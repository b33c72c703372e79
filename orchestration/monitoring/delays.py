"""Says how late each DAG is (specification, section 6.3): by the load log where it has marts, else by its runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta

from psycopg import sql

from orchestration.config.cron import next_time
from orchestration.monitoring.outcomes import Outcome
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import newest_loads
from orchestration.warehouse.status import judged_at

MINUTE = timedelta(minutes=1)


def delays(db: Database, marts: Mapping[str, Collection[str]], ended: Mapping[str, Outcome]) -> dict[str, float]:
    """Return by DAG id the minutes since the end of the oldest interval that is due and not done; 0 if none is.

    `marts` has the marts by key of their DAG, `ended` the outcomes by id. A DAG with marts is done up to the oldest
    load of one of them, whoever made it; another up to its latest successful run. Where neither is known, what was due
    before the first load of the warehouse does not count. A DAG that is not scheduled here is never
    late, and with INSIGHTS_AS_OF, none is after that day (decision D191).
    """
    now = judged_at(db)
    first = db.value(sql.SQL("select min(logged_at) from {}").format(db.ops("load_log")))
    found = {}
    for key, dag in db.settings.dags.items():
        done = _loaded(db, marts.get(key, ())) or ended.get(dag.id, Outcome()).interval_end or first
        due = next_time(dag.schedule, done.astimezone(UTC)) if done and db.settings.is_enabled(key) else None
        found[dag.id] = max((now - due) / MINUTE, 0.0) if due else 0.0
    return found


def _loaded(db: Database, marts: Collection[str]) -> datetime | None:
    """Return the end of the day for whose runs all marts have their load; None if one was never loaded.

    A run of a day needs the data before that day.
    """
    loads = newest_loads(db, marts)
    if not marts or len(loads) < len(set(marts)):
        return None
    return datetime.combine(min(load.horizon for load in loads.values()), time.max, UTC)
