"""Looks at the server of the warehouse for `insights doctor`: settings, grants, tables, unfinished work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from psycopg import sql

from orchestration.backups.check import summary
from orchestration.digests.plan import plan
from orchestration.errors import InsightsError
from orchestration.monitoring.findings import Finding, judged
from orchestration.monitoring.outcomes import outcomes
from orchestration.warehouse.access.privileges import check_privileges
from orchestration.warehouse.access.roles import ALL_ROLES, WRITER_ONLY
from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import SENT
from orchestration.warehouse.loads import check_source
from orchestration.warehouse.publications import read_serving_status
from orchestration.warehouse.releases import check_release, newest, scripts_sha256
from orchestration.warehouse.script import other_functions
from orchestration.warehouse.source.silence import silent
from orchestration.warehouse.unknown_names import unknown_names

OLDEST_SERVER, NEWEST_SERVER = 15, 18
SKEW_SECONDS = 5.0
MEGABYTE = 1024 * 1024
LEAST_WORK_MEM_MB = 16
MOST_NAMES = 10  # unknown ones that are told
MUCH, LEAST_ROWS = 0.3, 10_000  # the share of dead or changed rows that is much, of a table with so many
# The indexes of Orgo's tables that a daily load leans on (docs/source-contract.md), by their first expression.
_CHANGED_AT = "greatest(created_at, updated_at)"
LEANT_ON = (
    *((table, "id") for table in ("tasks", "cases", "task_events", "task_comments")),
    *(("tasks", "case_id"), ("task_events", "task_id"), ("task_events", "created_at"), ("task_comments", "task_id")),
    *(("tasks", _CHANGED_AT), ("task_comments", _CHANGED_AT)),
)
_INDEXED = """
    select exists (
        select from pg_index as i
        where
            i.indrelid = to_regclass(%s) and lower(pg_get_indexdef(i.indexrelid, 1, true)) = %s
            and i.indisvalid and i.indpred is null
    )
"""
# A table of another shape than Orgo's may lack a column, or have moments of two types, whose order no index can have.
_HAS_MOMENTS = """
    select count(*) = 2 and count(distinct atttypid) = 1 from pg_attribute
    where attrelid = to_regclass(%s) and attname in ('created_at', 'updated_at')
"""
_IS_TABLE = "select relkind in ('r', 'p', 'm') from pg_class where oid = to_regclass(%s)"
_TABLES = """
    select
        relname,
        n_live_tup,
        n_dead_tup,
        -- A load analyzes what it writes before it commits, and PostgreSQL then counts the rows as changed since.
        case
            when greatest(last_analyze, last_autoanalyze) > now() - interval '1 day' then 0
            else n_mod_since_analyze
        end,
        greatest(last_analyze, last_autoanalyze)
    from pg_stat_user_tables
    where schemaname = %s
    order by relname
"""


def server_checks(*, is_serving: bool) -> list[Callable[[Database], Iterator[Finding]]]:
    """Return the checks, each of which may raise InsightsError.

    A serving database has no source, DAGs and backups of its own, and its publication is looked at instead (D281).
    """
    everywhere = [_version, _clock, _prepared, _release, _settings, _memory, _tables, _unfinished, _digests, _names]
    return [*everywhere, *([_publication] if is_serving else [_source, _indexes, _dags, _backups])]


def _version(db: Database) -> Iterator[Finding]:
    version = db.connection.info.server_version
    says = f"PostgreSQL {version // 10000}.{version % 10000}"
    is_known = OLDEST_SERVER <= version // 10000 <= NEWEST_SERVER
    yield judged("server", is_known, says, f"This release is tested with {OLDEST_SERVER} to {NEWEST_SERVER}.")


def _clock(db: Database) -> Iterator[Finding]:
    skew = abs((db.value("select clock_timestamp()") - datetime.now(UTC)).total_seconds())
    yield judged(
        "clock", skew <= SKEW_SECONDS, f"differs from this machine's by {skew:.1f} s", "Synchronize both clocks."
    )


def _prepared(db: Database) -> Iterator[Finding]:
    tables = ("dag_outcomes", "digest_deliveries", "load_log")
    missing = db.missing({name: db.ops(name) for name in tables})
    says = (
        f"the bookkeeping lacks {', '.join(sorted(missing))}" if missing else "the bookkeeping is that of this release"
    )
    yield judged("bookkeeping", not missing, says, "Run: insights init", "broken")
    try:
        check_privileges(db)
        yield Finding("grants", "ok", "the roles have theirs")
    except InsightsError as error:
        yield Finding("grants", "broken", str(error), "Run: insights init")


def _release(db: Database) -> Iterator[Finding]:
    """Compare the release that prepared the database, its scripts, and the functions that it has, with this one."""
    check_release(db)
    if found := newest(db):
        moment = found.prepared_at.astimezone(UTC)
        says = f"{found.version}, prepared on {moment:%Y-%m-%d %H:%M} UTC by {found.prepared_by}"
        is_same = found.scripts_sha256 == scripts_sha256()
        says += "" if is_same else "; the scripts of this installation are others"
        others = other_functions(db)
        says += f"; functions are not those of this release: {', '.join(others)}" if others else ""
        yield judged("release", is_same and not others, says, "See insights init --plan, then run: insights init")


def _settings(db: Database) -> Iterator[Finding]:
    """Compare the settings of the role that loads with those that `insights init` gives it."""
    role = db.settings.insights.warehouse.write_user
    lines = db.value("select rolconfig from pg_roles where rolname = %s", [role]) or []
    given = {name.lower(): value for name, _, value in (line.partition("=") for line in lines)}
    wrong = [
        f"{name} is {given.get(name, 'not set')}, not {wanted}"
        for name, wanted in (ALL_ROLES | WRITER_ONLY).items()
        if given.get(name) != wanted
    ]
    yield judged(
        f"settings of {role}", not wrong, "; ".join(wrong) or "as insights init sets them", "Run: insights init"
    )
    for name, right in (("autovacuum", "on"), ("fsync", "on"), ("track_counts", "on")):
        now = db.value("select current_setting(%s)", [name])
        yield judged(name, now == right, now, f"Set {name} = {right} in postgresql.conf.")


def _memory(db: Database) -> Iterator[Finding]:
    work_mem = db.value("select pg_size_bytes(current_setting('work_mem'))") / MEGABYTE
    says = f"{work_mem:.0f} MB"
    remedy = f"A load sorts on disk below {LEAST_WORK_MEM_MB} MB: set work_mem for the role that loads."
    yield judged("work_mem", work_mem >= LEAST_WORK_MEM_MB, says, remedy)
    limit = int(db.value("select current_setting('max_connections')"))
    rules = db.settings.insights
    wanted = rules.warehouse.reader_limits.connections + rules.etl.concurrency + rules.etl.extra_connections
    says = f"{limit} allowed, {wanted} wanted by readers and a load"
    yield judged(
        "connections", limit > wanted, says, "Raise max_connections, or lower warehouse.reader_limits.connections."
    )


def _source(db: Database) -> Iterator[Finding]:
    try:
        check_source(db)
        quiet = silent(db)
        says = " ".join(map(str, quiet)) or "every operational table can be read, and Orgo wrote before the last load"
        yield judged("source", not quiet, says, "Ask whether Orgo works; see docs/monitoring.md#insightssourcesilent.")
    except InsightsError as error:
        yield Finding("source", "broken", str(error), "Run: insights init")


def _indexes(db: Database) -> Iterator[Finding]:
    """Look for the indexes that a load leans on; a view of the source has none of its own."""
    lacking = []
    for table, column in LEANT_ON:
        name = db.source(table).as_string(db.connection)
        can_be = db.value(_HAS_MOMENTS if column == _CHANGED_AT else _IS_TABLE, [name])
        if can_be and db.value(_IS_TABLE, [name]) and not db.value(_INDEXED, [name, column]):
            lacking.append(f"{table} ({column})")
    says = f"missing: {', '.join(lacking)}" if lacking else "those that a load leans on exist"
    yield judged("indexes of Orgo", not lacking, says, "Create them; without them, a load reads the whole table.")


def _tables(db: Database) -> Iterator[Finding]:
    found = [row for row in db.rows(_TABLES, [db.names.marts_schema]) if row[1] + row[2] >= LEAST_ROWS]
    dead = [name for name, live, dead, *_ in found if dead > MUCH * (live + dead)]
    old = [name for name, live, _, changed, analyzed in found if analyzed is None or changed > MUCH * max(live, 1)]
    for check, names, remedy in (
        ("dead rows", dead, "Run VACUUM on them; look for a long transaction in pg_stat_activity."),
        ("statistics", old, "Run ANALYZE on them; is autovacuum running?"),
    ):
        says = f"many in {', '.join(names)}" if check == "dead rows" else f"old in {', '.join(names)}"
        yield judged(check, not names, says if names else "no large table needs attention", remedy)


def _unfinished(db: Database) -> Iterator[Finding]:
    holder = db.value(
        sql.SQL("select c.command || ', since ' || c.claimed_at::timestamptz(0) from {} as c where {}(c)").format(
            db.ops("claims"), db.ops("is_held")
        )
    )
    yield Finding("writer", "ok", holder or "nobody is writing")
    started = db.rows(
        sql.SQL("select distinct relation_name from {} where finished_at is null order by 1").format(
            db.ops("purge_log")
        )
    )
    names = ", ".join(name for (name,) in started)
    yield judged(
        "purge",
        not started or bool(holder),
        f"unfinished: {names}" if names else "no purge is unfinished",
        "Run: insights purge --yes",
    )


def _backups(db: Database) -> Iterator[Finding]:
    yield from summary(db)


def _dags(db: Database) -> Iterator[Finding]:
    ended = outcomes(db)
    failing = sorted(dag for dag, outcome in ended.items() if outcome.is_failing)
    lost = sum(outcome.undelivered for outcome in ended.values())
    says = f"failing: {', '.join(failing)}" if failing else f"none of {len(ended)} that ran is failing"
    yield judged("DAGs", not failing, says, "See docs/airflow.md; insights_ops.dag_outcomes has the messages.")
    yield judged("messages", not lost, f"{lost} reached nobody", "Run: insights alerts test")


def _digests(db: Database) -> Iterator[Finding]:
    """Look for digests that were not delivered, and for recipients that get none by mistake."""
    if not db.settings.insights.digests.recipients:
        yield Finding("digests", "ok", "insights.digests.recipients is empty")
        return
    planned = plan(db, datetime.now(UTC).date())
    undelivered = [one for one in planned if one.delivery and one.delivery.status != SENT]
    refused = sorted({one.recipient.name for one in planned if one.is_mistake})
    says = [f"{one.recipient.name}: {one.delivery.answer}" for one in undelivered if one.delivery]
    says += [f"nothing may be sent to {', '.join(refused)}"] if refused else []
    yield judged("digests", not says, "; ".join(says) or "none is undelivered", "Run: insights digest list")


def _publication(db: Database) -> Iterator[Finding]:
    """Look at the age of what is published, and for tables that have other rows since."""
    found = read_serving_status(db)
    if found.publication is None:
        yield Finding("publication", "broken", "nothing was published here", "Run: insights build && insights publish")
        return
    last = found.publication
    says = (
        f"number {last.number} of {last.whose}, at {last.published_at:%Y-%m-%d %H:%M} UTC, with changes up to"
        f" {last.loaded_through:%Y-%m-%d %H:%M} UTC"
    )
    limit = db.settings.insights.warehouse.publication_late_hours
    yield judged(
        "publication",
        not last.is_late,
        says if not last.is_late else f"{says}: more than {limit} hours ago",
        "Run: insights snapshot --replace && insights build && insights publish",
    )
    says = (
        f"other rows than were published in {', '.join(found.changed)}"
        if found.changed
        else f"{len(found.relations)} relations have their rows"
    )
    yield judged("published rows", not found.changed, says, "They were changed here. Run: insights publish")


def _names(db: Database) -> Iterator[Finding]:
    """Look for organizations, roles and domains that the configuration names and the warehouse does not know."""
    found = [str(one).removeprefix("warning: ") for one in unknown_names(db)]
    says = " ".join(found[:MOST_NAMES]) + (f" And {len(found) - MOST_NAMES} more." if len(found) > MOST_NAMES else "")
    right = "every organization, role and domain of the configuration is known"
    yield judged("names", not found, says or right, "Correct these lines, or create in Orgo what they name.")
