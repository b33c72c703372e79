"""`insights purge` deletes what is out of retention in short transactions, and nothing brings it back (decision D8)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from click.testing import CliRunner
from support.contents import contents, incremental, rebuilt
from support.purge_scenario import LEAVING, LOADED, SOURCE, STAYING, WAREHOUSE
from support.retention.purging import AS_OF, RAW_CUTOFF, rows_by_relation, run_preview, run_purge, with_days
from support.small_scenario import uid
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.manifest import Relation
from orchestration.retention.plan import Retained

pytest_plugins = ["support.retention.purging"]
pytestmark = pytest.mark.services

# 800 days are 70 more: 29 of February, 31 of January, 10 of December. 100 days: 28, 31, 31, and 10 of November.
DAYS = {"raw_event_retention_days": 730, "aggregated_retention_days": 800, "pattern_result_retention_days": 100}

CUTOFFS = {"raw_event": RAW_CUTOFF, "aggregated": date(2023, 12, 22), "pattern_result": date(2025, 11, 21)}

PATTERNS = ("pattern_weekly", "pattern_monthly", "pattern_yearly")

# A pattern is found again by each review; no model declares the keys of deliveries.
KEYS = {**dict.fromkeys(PATTERNS, "review_date::text || pattern_id"), "review_deliveries": "case_id"}
KEYS["digest_deliveries"] = "digest_id"
KEYS["report_task_backlog"] = "(organization_id, domain, severity, visibility, age_band, first_day)::text"

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


def _with_batches(settings: Settings, default: int, maximum: int) -> Settings:
    etl = settings.insights.etl.model_copy(update={"default_batch_size": default, "max_batch_size": maximum})
    return replace(settings, insights=settings.insights.model_copy(update={"etl": etl}))


def _relations() -> dict[str, str]:
    """Return the relations that a purge looks at, by name."""
    looked_at = (
        *incremental(),
        *(name for name in rebuilt() if name.startswith("insights_personal.")),
        "insights.report_task_backlog",
        *(f"insights.{name}" for name in PATTERNS),
        "insights.report_monthly_trends",
        "insights_ops.review_requests",
        "insights_ops.review_deliveries",
        "insights_ops.digest_deliveries",
    )
    return {name.rpartition(".")[2]: name for name in looked_at}


def _stored(warehouse: Warehouse) -> dict[str, dict[UUID, str]]:
    return {name: contents(warehouse, relation, KEYS.get(name)) for name, relation in _relations().items()}


def test_rows_leave_on_their_day_and_nothing_brings_them_back(
    built: Warehouse, settings: Settings, plan: list[Retained]
) -> None:
    chosen = with_days(settings, DAYS)
    built.execute(SOURCE)
    loaded = built.build("--select", *LOADED, command="run", scan_all=True)
    assert loaded.succeeded, loaded.output
    built.execute(WAREHOUSE)
    # A relation with aggregates, as the project declares one.
    months = Relation("months", "insights", "months", {})
    plan = [*plan, Retained(months, "aggregated", date="month")]
    before = _stored(built)

    # A dry run counts, in a transaction that cannot write.
    counted = run_preview(built, chosen, plan)
    assert _stored(built) == before
    assert built.value("select count(*) from insights_ops.purge_log") == 0

    done = run_purge(built, chosen, plan)
    assert replace(counted, relations=sorted(counted.relations, key=str)) == replace(
        done, relations=sorted(done.relations, key=str)
    )
    assert {line.retention_class: line.cutoff for line in done.relations} == CUTOFFS
    after = _stored(built)
    rows = rows_by_relation(done)
    assert rows == {**{name: len(before[name]) - len(after[name]) for name in before if name in rows}, "months": 1}
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
        again = run_purge(built, with_days(settings, days), plan, as_of)
        assert {line.retention_class: line.cutoff for line in again.relations} == CUTOFFS
        assert set(rows_by_relation(again).values()) == {0}

    # A load that looks at every source row, of an older day and with a longer retention; and the tests of the data.
    longer = dict.fromkeys(("dev", "staging", "prod", "offline"), 3650)
    reloaded = built.build(
        *("--select", *LOADED, *PATTERNS, "review_requests", "--exclude", "test_name:in_enum", "test_name:never_null"),
        as_of=date(2025, 11, 20),
        scan_all=True,
        raw_event_retention_days=longer,
        pattern_result_retention_days=longer,
    )
    assert reloaded.succeeded, reloaded.output
    assert _stored(built) == after


def _ids(rows: dict[UUID, str]) -> set[UUID]:
    """Return the keys; those of patterns without their review date."""
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
            for name, key in (
                *(("fact_tasks", "task_id"), ("dim_tasks", "task_id"), ("fact_task_statuses", "task_id")),
                ("fact_cases", "case_id"),
            )
        )
    )
    # Facts of tasks take their dimension rows, statuses and the business times with them: 10 // 5 = 2 tasks are tried.
    report = run_purge(built, _with_batches(settings, 7, 10), plan, date(2026, 1, 5))
    batches: dict[int, dict[str, set[object]]] = defaultdict(lambda: defaultdict(set))
    deleted = Counter[int]()
    for transaction, relation, key in built.rows("select * from public.deleted"):
        batches[transaction][relation].add(key)
        deleted[transaction] += 1
    tasks = [batch for batch in batches.values() if {"fact_tasks", "dim_tasks", "fact_task_statuses"} & set(batch)]
    assert all(batch["fact_tasks"] == batch["dim_tasks"] == batch["fact_task_statuses"] for batch in tasks)
    # 2024-01-02 to 2024-01-05, the first days of the sample, and the last of them stays.
    count = built.value(
        "select count(*) from tasks where created_at >= '2024-01-02 00:00+00' and created_at < '2024-01-06 00:00+00'"
    )
    assert report.relations[0].cutoff == date(2024, 1, 6)
    sizes = Counter(len(batch["fact_tasks"]) for batch in tasks)
    assert set(sizes) == {1, 2}, "two tasks with three statuses each are ten rows"
    assert sum(size * number for size, number in sizes.items()) == count
    assert all(deleted[number] <= 10 or len(batch["fact_tasks"]) == 1 for number, batch in batches.items())
    assert max(deleted.values()) > 8, "batches are not needlessly small"
    assert count > 20
    logged = dict(built.rows("select relation_name, rows_purged from insights_ops.purge_log"))
    assert logged == rows_by_relation(report)
    assert logged["fact_tasks"] == logged["dim_tasks"] == count
    unfinished = "select count(*) from insights_ops.purge_log where finished_at is null or finished_at < started_at"
    assert built.value(unfinished) == 0


def test_the_command_deletes_only_with_its_option(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Run `insights purge` and return class, cutoff and number by relation, and standard error."""
    done = CliRunner().invoke(commands, ["purge", *options], catch_exceptions=False)
    assert done.exit_code == 0
    _, heading, *rows = [line.split() for line in done.stdout.splitlines()]
    assert heading == ["relation", "class", "before", "rows"]
    return {relation: row for relation, *row in rows}, done.stderr
