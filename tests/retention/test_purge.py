"""`insights purge`: what is out of retention leaves in short transactions and never comes back (decision D8)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from support.contents import INCREMENTAL, contents, row_changes
from support.purge_scenario import LEAVING, LOADED, SOURCE, STAYING, WAREHOUSE
from support.small_scenario import uid
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.config.tokens import PerEnvironment
from orchestration.errors import InsightsError
from orchestration.manifest import Relation
from orchestration.retention import purge as purge_module
from orchestration.retention.plan import Retained, load_plan
from orchestration.retention.purge import PurgeReport, preview, purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import writer_lock

pytestmark = pytest.mark.services

# 730 days before it is 2024-03-01: 366 - 60 of 2024, 365 of 2025, 59 of 2026.
AS_OF = date(2026, 3, 1)
RAW_CUTOFF = date(2024, 3, 1)
# 800 days are 70 more: 29 of February, 31 of January, 10 of December. 100 days: 28, 31, 31, and 10 of November.
DAYS = {"raw_event_retention_days": 730, "aggregated_retention_days": 800, "pattern_result_retention_days": 100}
CUTOFFS = {"raw_event": RAW_CUTOFF, "aggregated": date(2023, 12, 22), "pattern_result": date(2025, 11, 21)}

PATTERNS = ("pattern_weekly", "pattern_monthly", "pattern_yearly")
KEYS = {
    **{name.removeprefix("insights."): (name, key) for name, key in INCREMENTAL.items()},
    **{name: (f"insights.{name}", "review_date::text || pattern_id") for name in PATTERNS},
    "report_monthly_trends": ("insights.report_monthly_trends", "trend_id"),
    "rejects": ("insights_ops.rejects", "source_id"),
    "review_requests": ("insights_ops.review_requests", "case_id"),
    "review_deliveries": ("insights_ops.review_deliveries", "case_id"),
}

# The sample's rows of January and February 2024, counted in the operational tables; its unknown tokens are rejected.
OLD = "created_at >= '2024-01-02 00:00+00' and created_at < '2024-03-01 00:00+00'"
LOADS = (
    "status not in ('WAITING_FOR_PARTS', 'NONSENSE')"
    " and priority <> 'URGENT' and severity <> 'SEVERE' and source <> 'fax'"
)
OLD_TASKS = f"select count(*) from tasks where {OLD} and {LOADS}"
RECENT = "created_at >= '2024-03-01 00:00+00' and created_at < '2026-01-01 00:00+00'"
UNNEEDED_PERSONS = f"""
    select id from person_profiles where created_at < '2024-03-01 00:00+00'
    except select requester_person_id from tasks where {RECENT} and {LOADS}
    except select person_id from wellbeing_checkins where {RECENT}
    except select person_id from learning_group_memberships
"""


@pytest.fixture(scope="module")
def plan(settings: Settings) -> list[Retained]:
    """The plan of the project."""
    return load_plan(settings)


def _with_batches(settings: Settings, default: int, maximum: int) -> Settings:
    etl = settings.insights.etl.model_copy(update={"default_batch_size": default, "max_batch_size": maximum})
    return replace(settings, insights=settings.insights.model_copy(update={"etl": etl}))


def _with_days(settings: Settings, days: dict[str, int]) -> Settings:
    everywhere = {name: PerEnvironment.model_validate(number) for name, number in days.items()}
    retention = settings.insights.retention.model_copy(update=everywhere)
    return replace(settings, insights=settings.insights.model_copy(update={"retention": retention}))


def _purge(warehouse: Warehouse, settings: Settings, plan: list[Retained], as_of: date | None = AS_OF) -> PurgeReport:
    with connect(warehouse.etl_url, autocommit=True) as connection:
        return purge(Database(settings, connection), plan, as_of)


def _preview(warehouse: Warehouse, settings: Settings, plan: list[Retained], as_of: date | None = AS_OF) -> PurgeReport:
    with connect(warehouse.etl_url, autocommit=True) as connection:
        return preview(Database(settings, connection), plan, as_of)


def _stored(warehouse: Warehouse) -> dict[str, dict[UUID, str]]:
    return {name: contents(warehouse, relation, key) for name, (relation, key) in KEYS.items()}


def _rows(report: PurgeReport) -> dict[str, int]:
    return {line.relation: line.rows for line in report.relations}


def test_rows_leave_on_their_day_and_nothing_brings_them_back(
    built: Warehouse, settings: Settings, plan: list[Retained]
) -> None:
    chosen = _with_days(settings, DAYS)
    built.execute(SOURCE)
    loaded = built.build("--select", *LOADED, command="run", scan_all=True)
    assert loaded.succeeded, loaded.output
    built.execute(WAREHOUSE)
    # A relation with aggregates, as the project declares one.
    months = Relation("months", "insights", "months", {})
    plan = [*plan, Retained(months, "aggregated", date="month")]
    before = _stored(built)

    # A dry run counts, in a transaction that cannot write.
    counted = _preview(built, chosen, plan)
    assert _stored(built) == before
    assert built.value("select count(*) from insights_ops.purge_log") == 0

    done = _purge(built, chosen, plan)
    assert replace(counted, relations=sorted(counted.relations, key=str)) == replace(
        done, relations=sorted(done.relations, key=str)
    )
    assert {line.retention_class: line.cutoff for line in done.relations} == CUTOFFS
    after = _stored(built)
    rows = _rows(done)
    assert rows == {**{name: len(before[name]) - len(after[name]) for name in KEYS if name in rows}, "months": 1}
    assert built.rows("select month from insights.months order by month") == [(CUTOFFS["aggregated"],)]

    # The edges, one by one; the rest counted in the operational tables.
    for name, ids in LEAVING.items():
        assert {uid(i) for i in ids} <= _ids(before[name]) - _ids(after[name]), name
    for name, ids in STAYING.items():
        assert {uid(i) for i in ids} <= _ids(after[name]), name
    assert rows["fact_tasks"] == rows["dim_tasks"] == built.value(OLD_TASKS)
    assert rows["fact_cases"] == rows["dim_cases"] == built.value(f"select count(*) from cases where {OLD}")
    assert rows["fact_wellbeing_checkins"] == built.value(f"select count(*) from wellbeing_checkins where {OLD}")
    unneeded = {key for (key,) in built.rows(UNNEEDED_PERSONS)} | {uid("gone")}
    assert _ids(before["dim_persons"]) - _ids(after["dim_persons"]) == unneeded
    assert set(after["fact_tasks"]) == set(after["dim_tasks"])

    # The same day again, an older day, and a longer retention: the cutoff stays, and nothing is left to go.
    for as_of, days in ((AS_OF, DAYS), (date(2025, 6, 1), DAYS), (AS_OF, dict.fromkeys(DAYS, 3650))):
        again = _purge(built, _with_days(settings, days), plan, as_of)
        assert {line.retention_class: line.cutoff for line in again.relations} == CUTOFFS
        assert set(_rows(again).values()) == {0}

    # A load that looks at every source row, of an older day and with a longer retention; and the tests of the data.
    longer = dict.fromkeys(("dev", "staging", "prod", "offline"), 3650)
    reloaded = built.build(
        *("--select", *LOADED, *PATTERNS, "review_requests", "--exclude", "test_name:in_enum", "test_name:not_null"),
        as_of=date(2025, 11, 20),
        scan_all=True,
        raw_event_retention_days=longer,
        pattern_result_retention_days=longer,
    )
    assert reloaded.succeeded, reloaded.output
    assert _stored(built) == after


def _ids(rows: dict[UUID, str]) -> set[UUID]:
    """The keys, of patterns without their review date."""
    return {UUID(key[len("2025-11-21") :]) if isinstance(key, str) else key for key in rows}


def test_batches_keep_to_their_size_and_what_belongs_together_goes_together(
    built: Warehouse, settings: Settings, plan: list[Retained]
) -> None:
    # Each deleted row is noted with its transaction.
    built.execute(
        """
        create table public.deleted (transaction bigint, relation text, id uuid);
        create function public.note() returns trigger language plpgsql security definer as $$
        begin
            insert into public.deleted
            select txid_current(), tg_table_name, (to_jsonb(gone) ->> tg_argv[0])::uuid from gone;
            return null;
        end $$;
        """
        + "".join(
            f"create trigger note after delete on insights.{name} referencing old table as gone"
            f" for each statement execute function public.note('{key}');"
            for name, key in (("fact_tasks", "task_id"), ("dim_tasks", "task_id"), ("fact_cases", "case_id"))
        )
    )
    # Facts of tasks take their dimension rows with them: 10 // 2 = 5 of each, since 7 + 7 would be over the maximum.
    report = _purge(built, _with_batches(settings, 7, 10), plan, date(2026, 1, 5))
    batches: dict[int, dict[str, set[object]]] = defaultdict(lambda: defaultdict(set))
    for transaction, relation, key in built.rows("select * from public.deleted"):
        batches[transaction][relation].add(key)
    tasks = [batch for batch in batches.values() if "fact_tasks" in batch or "dim_tasks" in batch]
    assert all(batch["fact_tasks"] == batch["dim_tasks"] for batch in tasks)
    # 2024-01-02 to 2024-01-05, the first days of the sample, and the last of them stays.
    count = built.value(
        "select count(*) from tasks where created_at >= '2024-01-02 00:00+00' and created_at < '2024-01-06 00:00+00'"
    )
    assert report.relations[0].cutoff == date(2024, 1, 6)
    sizes = Counter(len(batch["fact_tasks"]) for batch in tasks)
    assert sizes == Counter([5] * (count // 5) + ([count % 5] if count % 5 else []))
    assert count > 20
    logged = dict(built.rows("select relation_name, rows_purged from insights_ops.purge_log"))
    assert logged == _rows(report)
    assert logged["fact_tasks"] == logged["dim_tasks"] == count
    unfinished = "select count(*) from insights_ops.purge_log where finished_at is null or finished_at < started_at"
    assert built.value(unfinished) == 0


def test_the_command_counts_and_deletes_only_when_told_to(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    # In dev 730 days before 2026-01-05 for events, and 90 for what reviews found: 5, 31, 30, and 24 of October.
    first_days = "created_at >= '2024-01-02 00:00+00' and created_at < '2024-01-06 00:00+00'"
    leaving = built.value(f"select count(*) from tasks where {first_days} and {LOADS}")
    patterns = built.value("select count(*) from insights.pattern_weekly where review_date < '2025-10-07'")
    tasks = "select count(*) from insights.fact_tasks"
    before = built.value(tasks)

    counted, said = _command("--as-of", "2026-01-05")
    assert counted["fact_tasks"] == counted["dim_tasks"] == ["raw_event", "2024-01-06", str(leaving)]
    assert counted["pattern_weekly"] == ["pattern_result", "2025-10-07", str(patterns)]
    assert said.endswith("Dry run: nothing was deleted. Add --yes to delete these rows.\n")
    assert built.value(tasks) == before

    deleted, said = _command("--as-of", "2026-01-05", "--yes")
    assert deleted == counted and "Dry run" not in said
    assert built.value(tasks) == before - leaving
    left, _ = _command("--as-of", "2026-01-05")
    assert left == {name: [*row[:2], "0"] for name, row in counted.items()}


def _command(*options: str) -> tuple[dict[str, list[str]], str]:
    """What `insights purge` printed: class, cutoff and number by relation, and the rest from standard error."""
    done = CliRunner().invoke(commands, ["purge", *options], catch_exceptions=False)
    assert done.exit_code == 0
    _, heading, *rows = [line.split() for line in done.stdout.splitlines()]
    assert heading == ["relation", "class", "before", "rows"]
    return {relation: row for relation, *row in rows}, done.stderr


# What a purge may hold on a relation: readers and loads pass by.
SHORT_LOCKS = {"AccessShareLock", "RowExclusiveLock"}
LAST_LEAVING = """
    select ctid from insights.fact_tasks where created_date_key < '2024-07-01' order by ctid desc limit 1 for update
"""


def test_a_killed_purge_continues_and_readers_pass(built: Warehouse, settings: Settings, plan: list[Retained]) -> None:
    total = built.value("select count(*) from insights.fact_tasks")
    leaving = built.value("select count(*) from insights.fact_tasks where created_date_key < '2024-07-01'")
    assert leaving > 3000
    as_of = date(2026, 7, 1)  # 730 days before: 2024-07-01
    with connect(built.reader_url) as reader:
        reader.execute("set transaction isolation level repeatable read")
        assert reader.execute("select count(task_id) from insights.fact_tasks").fetchone() == (total,)
        with connect_as(built.admin_url) as other, other.transaction():
            other.execute(LAST_LEAVING)
            process = subprocess.Popen(
                [Path(sys.executable).with_name("insights"), "purge", "--as-of", as_of.isoformat(), "--yes"],
                env=os.environ | {"INSIGHTS_WAREHOUSE_URL": built.etl_url},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            _wait_for(built, "select exists (select from pg_locks where locktype = 'transactionid' and not granted)")
            held = built.rows(
                "select distinct mode from pg_locks as l inner join pg_class as c on l.relation = c.oid"
                " inner join pg_stat_activity as a on l.pid = a.pid"
                " where c.relnamespace in ('insights'::regnamespace, 'insights_ops'::regnamespace)"
                " and l.locktype = 'relation' and a.usename = 'orgo_insights_etl'"
            )
            assert {mode for (mode,) in held} <= SHORT_LOCKS
            with connect_as(built.reader_url) as passer:
                passer.execute("set lock_timeout to '5s'")
                ((left,),) = passer.execute("select count(task_id) from insights.fact_tasks").fetchall()
                assert left < total
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # The long transaction still sees what it saw.
        assert reader.execute("select count(task_id) from insights.fact_tasks").fetchone() == (total,)
    row_changes(built)  # waits until the orphaned session has ended

    gone = total - built.value("select count(*) from insights.fact_tasks")
    assert 0 < gone < leaving and gone % 1000 == 0
    same = "select count(*) from insights.fact_tasks full join insights.dim_tasks using (task_id)"
    assert built.value(same) == total - gone
    log = dict(built.rows("select relation_name, (rows_purged, finished_at is null) from insights_ops.purge_log"))
    assert log["fact_tasks"] == log["dim_tasks"] == (str(gone), "t")
    assert log["fact_cases"][1] == "f"

    rest = _purge(built, settings, plan, as_of)
    assert _rows(rest)["fact_tasks"] == _rows(rest)["dim_tasks"] == leaving - gone
    assert _rows(rest)["fact_cases"] == 0
    assert built.value("select count(*) from insights.dim_tasks where created_at < '2024-07-01 00:00+00'") == 0
    assert built.value(same) == total - leaving
    # By 2026-11-01 more than a tenth of the rows has left, so the tables are analyzed.
    analyzed = (
        "select count(*) from pg_stat_user_tables where relname in ('fact_tasks', 'dim_tasks') and analyze_count > 0"
    )
    already = built.value(analyzed)
    _purge(built, settings, plan, date(2026, 11, 1))
    _wait_for(built, f"select ({analyzed}) = 2")
    assert already == 0


def _wait_for(warehouse: Warehouse, condition: str) -> None:
    deadline = time.monotonic() + 300
    while not warehouse.value(condition):
        assert time.monotonic() < deadline, f"waited in vain for: {condition}"
        time.sleep(0.05)


@contextmanager
def _untouched(warehouse: Warehouse) -> Iterator[None]:
    """No row leaves, and no cutoff is logged."""
    count = "select (select count(*) from insights.fact_tasks), (select count(*) from insights_ops.purge_log)"
    before = warehouse.rows(count)
    yield
    assert warehouse.rows(count) == before


def test_what_a_purge_refuses_leaves_everything_as_it_is(
    built: Warehouse, prepared: Warehouse, settings: Settings, plan: list[Retained], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(_with_days(settings, {"raw_event_retention_days": 100}), environment="prod")
    for run in (_purge, _preview):
        with _untouched(built), pytest.raises(InsightsError, match=r"raw_event_retention_days\.prod is 100"):
            run(built, wrong, plan)
        with _untouched(built), pytest.raises(InsightsError, match="as_of 2999-01-01 is in the future"):
            run(built, settings, plan, date(2999, 1, 1))
    with (
        _untouched(built),
        connect_as(built.etl_url) as holder,
        writer_lock(holder),
        pytest.raises(InsightsError, match="Another process is writing"),
    ):
        _purge(built, settings, plan)
    with (
        _untouched(built),
        connect_as(built.reader_url) as reader,
        pytest.raises(InsightsError, match="This user may not purge"),
    ):
        purge(Database(settings, reader), plan, AS_OF)

    # A lock that does not come in time: the cutoffs are logged, the rows stay, and the next purge takes them.
    monkeypatch.setattr(purge_module, "LOCK_TIMEOUT", "100ms")
    count = built.value("select count(*) from insights.fact_tasks")
    with connect_as(built.admin_url) as other, other.transaction():
        other.execute("lock table insights.fact_tasks in share mode")
        with pytest.raises(InsightsError, match="Another session has kept rows locked"):
            _purge(built, settings, plan)
    assert built.value("select count(*) from insights.fact_tasks") == count
    assert _rows(_purge(built, settings, plan))["fact_tasks"] > 0

    # Views that say what is needed come with a build; a database without ours has not been prepared.
    built.execute("drop view insights_staging.int_person_needs")
    with pytest.raises(InsightsError, match="int_person_needs, which dates its rows"):
        _purge(built, settings, plan)
    assert _rows(_preview(prepared, settings, plan)) == {}
    prepared.execute("drop table insights_ops.purge_log cascade")
    with pytest.raises(InsightsError, match="Run first: insights init"):
        _preview(prepared, settings, plan)
