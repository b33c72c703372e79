"""Deletes rows out of retention in Snowflake (section 2.1): one transaction for each relation and what goes with it.

As in PostgreSQL, the cutoffs are logged before the first row is deleted, so that no load restores what a killed purge
has deleted or would have deleted. The next purge deletes the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from orchestration.config.files import Settings
from orchestration.errors import BadInputError
from orchestration.manifest import Relation
from orchestration.progress import Progress
from orchestration.retention.log import Clock, days_kept
from orchestration.retention.lower_bounds import check_lower_bounds
from orchestration.retention.plan import CLASSES, Retained
from orchestration.retention.purge import Leaving, PurgeReport
from orchestration.warehouse.snowflake.connection import Session, connected
from orchestration.warehouse.snowflake.guard import vanished_rows
from orchestration.warehouse.snowflake.lease import writer_lease
from orchestration.warehouse.snowflake.prepare import check_release

# Loads never move the cutoff of these back: they are those of the function raw_event_relations in PostgreSQL.
LOADED = """
    select max(cutoff) from {}
    where relation_name in ('dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins')
"""


def preview(
    settings: Settings, plan: Sequence[Retained], as_of: date | None = None, progress: Progress | None = None
) -> PurgeReport:
    """Count the rows that `purge` would delete. Raises like `purge`."""
    settings.check_offline("Purges")
    warnings = check_lower_bounds(settings)
    with connected(settings) as session:
        check_release(session)
        clock = read_clock(session, as_of)
        present, found = _present(session, plan, warnings), []
        for number, retained in enumerate(present):
            if progress:
                progress(number, len(present), f"counting {retained.relation.name}")
            leader = next((other for other in plan if other.relation.name == retained.goes_with), None)
            rows = _count(session, retained, leader, clock.cutoffs[retained.retention_class])
            found.append(_leaving_of(retained, clock, rows))
    return PurgeReport(clock.as_of, found, warnings)


def purge(
    settings: Settings, plan: Sequence[Retained], as_of: date | None = None, progress: Progress | None = None
) -> PurgeReport:
    """Delete rows that are out of retention as of a UTC date (default: today); log them in `<schema>_ops.purge_log`.

    The lease of the writer is held throughout. A relation, and the rows of others that go with its rows, are one
    transaction, of any size. Raises, before any row is deleted, RefusedError if an enabled review needs the rows, and
    in `offline` unless it is enabled; BusyError if another process writes; BadInputError if the date is in the future;
    and NotPreparedError without `insights init` or without the operational tables.
    """
    settings.check_offline("Purges")
    warnings = check_lower_bounds(settings)
    with connected(settings) as session, connected(settings) as of_the_lease:
        check_release(session)
        with writer_lease(of_the_lease):
            clock = read_clock(session, as_of)
            present = _present(session, plan, warnings)
            rows = dict.fromkeys((retained.relation.name for retained in present), 0)
            first = _open_log(session, present, clock)
            for number, retained in enumerate(present):
                name = retained.relation.name
                if progress:
                    progress(number, len(present), f"deleting from {name}")
                followers = [other for other in present if other.goes_with == name]
                for relation, deleted in _delete(session, retained, followers, clock, first).items():
                    rows[relation] += deleted
                session.execute(
                    f"update {session.ops('purge_log')} set finished_at = current_timestamp()"  # noqa: S608
                    " where relation_name = %s and purge_log_id > %s",
                    [name, first],
                )
    return PurgeReport(clock.as_of, [_leaving_of(r, clock, rows[r.relation.name]) for r in present], warnings)


def read_clock(session: Session, as_of: date | None) -> Clock:
    """Return the cutoffs as of a UTC date (default: today); raises BadInputError for a date after tomorrow.

    Like the function `retention_cutoff` of PostgreSQL: a cutoff never moves back behind an earlier purge, nor, for raw
    events, behind an earlier load.
    """
    today: date = session.value("select cast(sysdate() as date)")
    day = as_of or today
    if day > today + timedelta(days=1):
        raise BadInputError(f"as_of {day} is in the future; the latest that can be is tomorrow (UTC).")
    purged = dict(
        session.rows(f"select retention_class, max(cutoff) from {session.ops('purge_log')} group by retention_class")  # noqa: S608
    )
    loaded = session.value(LOADED.format(session.ops("load_log")))
    cutoffs = {}
    for name in CLASSES:
        wanted = day - timedelta(days=days_kept(session.settings, name))
        others = [purged.get(name), loaded if name == "raw_event" else None]
        cutoffs[name] = max([wanted, *(found for found in others if found)])
    return Clock(day, cutoffs)


def _present(session: Session, plan: Sequence[Retained], warnings: list[str]) -> list[Retained]:
    """Return the relations that can be purged: they exist, as does what they go with and the view that dates them.

    What a view of the source dates is left out with a warning if the source has lost many rows.
    """
    found = {schema: session.tables(schema) for schema in session.names.schemas}
    built = {r.relation.name for r in plan if r.relation.identifier in found.get(r.relation.schema, ())}
    lost = vanished_rows(session) if any(r.dated_by for r in plan) else None
    for retained in plan:
        name, view = retained.relation.name, retained.dated_by
        if view is None or name not in built:
            continue
        if lost:
            reason = f"{view.name} reads rows that may be missing by mistake. {lost} The next load asks about them"
        elif view.identifier not in found.get(view.schema, ()):
            reason = f"{view.name}, which dates its rows, is not built. Run: insights build"
        else:
            continue
        warnings.append(f"{name} is not purged, because {reason}.")
        built.remove(name)
    return [r for r in plan if r.relation.name in built and (r.goes_with is None or r.goes_with in built)]


def _open_log(session: Session, present: Sequence[Retained], clock: Clock) -> int:
    """Log the cutoff of every relation in one statement; returns the number of the newest entry before."""
    table = session.ops("purge_log")
    first = int(session.value(f"select coalesce(max(purge_log_id), 0) from {table}"))  # noqa: S608
    values: list[object] = []
    for retained in present:
        name, cutoff = retained.retention_class, clock.cutoffs[retained.retention_class]
        values += [retained.relation.name, name, str(clock.as_of), str(cutoff), session.settings.environment]
    if present:
        places = ", ".join(["(%s, %s, %s, %s, %s)"] * len(present))
        session.execute(
            f"insert into {table} (relation_name, retention_class, as_of, cutoff, environment) values {places}",  # noqa: S608
            values,
        )
    return first


def _delete(
    session: Session, retained: Retained, followers: Sequence[Retained], clock: Clock, first: int
) -> dict[str, int]:
    """Delete the rows of a relation and those that go with them, and log them; returns deleted rows by relation.

    What goes with them is deleted first: without a transaction that holds, the next purge would find it again.
    """
    if retained.date is None:
        return {}
    cutoff, deleted = clock.cutoffs[retained.retention_class], {}
    with session.transaction():
        for follower in followers:
            same = _same(retained.key, "follower", "gone")
            deleted[follower.relation.name] = session.execute(
                f"delete from {_name(follower.relation)} as follower"  # noqa: S608 - names of the project
                f" using ({_leaving(retained)}) as gone where {same}",
                [str(cutoff)],
            )
        if retained.dated_by:
            statement = (
                f"delete from {_name(retained.relation)} as leaver"  # noqa: S608 - names of the project
                f" using ({_leaving(retained)}) as gone where {_same(retained.key, 'leaver', 'gone')}"
            )
        else:
            statement = f"delete from {_name(retained.relation)} where {retained.date} < cast(%s as date)"  # noqa: S608
        deleted[retained.relation.name] = session.execute(statement, [str(cutoff)])
        for relation, rows in deleted.items():
            session.execute(
                f"update {session.ops('purge_log')} set rows_purged = rows_purged + %s"  # noqa: S608
                " where relation_name = %s and purge_log_id > %s",
                [rows, relation, first],
            )
    return deleted


def _count(session: Session, retained: Retained, leader: Retained | None, cutoff: date) -> int:
    if retained.date or leader is None:
        query = f"select count(*) from ({_leaving(retained)}) as gone"  # noqa: S608 - names of the project
    else:
        same = _same(retained.key, "follower", "gone")
        query = (
            f"select count(*) from {_name(retained.relation)} as follower"  # noqa: S608 - names of the project
            f" inner join ({_leaving(leader)}) as gone on {same}"
        )
    return int(session.value(query, [str(cutoff)]))


def _leaving(retained: Retained) -> str:
    """Return the query for the keys of the rows dated before the cutoff, which is its one value."""
    columns = ", ".join(f"leaving.{column}" for column in retained.key) or "1 as is_leaving"
    if retained.dated_by is None:
        return (
            f"select {columns} from {_name(retained.relation)} as leaving"  # noqa: S608 - names of the project
            f" where leaving.{retained.date} < cast(%s as date)"
        )
    return (
        f"select {columns} from {_name(retained.relation)} as leaving"  # noqa: S608 - names of the project
        f" left join {_name(retained.dated_by)} as dated on {_same(retained.key, 'leaving', 'dated')}"
        f" where coalesce(dated.{retained.date} < cast(%s as date), true)"
    )


def _same(key: Sequence[str], one: str, other: str) -> str:
    return " and ".join(f"{one}.{column} = {other}.{column}" for column in key)


def _name(relation: Relation) -> str:
    return f"{relation.schema}.{relation.identifier}"


def _leaving_of(retained: Retained, clock: Clock, rows: int) -> Leaving:
    name = retained.retention_class
    return Leaving(retained.relation.name, name, clock.cutoffs[name], rows)
