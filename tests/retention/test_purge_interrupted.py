"""A purge that is killed, locked out or refused deletes nothing by halves, and the next one continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from support.contents import row_changes
from support.retention.purging import AS_OF, rows_by_relation, run_preview, run_purge, with_days
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.retention import purge as purge_module
from orchestration.retention.plan import Retained
from orchestration.retention.purge import purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

pytest_plugins = ["support.retention.purging"]
pytestmark = pytest.mark.services

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
            built.wait_for("select exists (select from pg_locks where locktype = 'transactionid' and not granted)")
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

    rest = run_purge(built, settings, plan, as_of)
    assert rows_by_relation(rest)["fact_tasks"] == rows_by_relation(rest)["dim_tasks"] == leaving - gone
    assert rows_by_relation(rest)["fact_cases"] == 0
    assert built.value("select count(*) from insights.dim_tasks where created_at < '2024-07-01 00:00+00'") == 0
    assert built.value(same) == total - leaving


@contextmanager
def _untouched(warehouse: Warehouse) -> Iterator[None]:
    """Assert that the block deletes no row and logs no cutoff."""
    count = "select (select count(*) from insights.fact_tasks), (select count(*) from insights_ops.purge_log)"
    before = warehouse.rows(count)
    yield
    assert warehouse.rows(count) == before


def test_a_refused_purge_changes_nothing(
    built: Warehouse, prepared: Warehouse, settings: Settings, plan: list[Retained], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(with_days(settings, {"raw_event_retention_days": 100}), environment="prod")
    for run in (run_purge, run_preview):
        with _untouched(built), pytest.raises(InsightsError, match=r"raw_event_retention_days\.prod is 100"):
            run(built, wrong, plan)
        with _untouched(built), pytest.raises(InsightsError, match="as_of 2999-01-01 is in the future"):
            run(built, settings, plan, date(2999, 1, 1))
    with (
        _untouched(built),
        built.locked(),
        pytest.raises(InsightsError, match="Another process is writing"),
    ):
        run_purge(built, settings, plan)
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
            run_purge(built, settings, plan)
    assert built.value("select count(*) from insights.fact_tasks") == count
    assert rows_by_relation(run_purge(built, settings, plan))["fact_tasks"] > 0

    # Views that say what is needed come with a build; a database without ours has not been prepared.
    built.execute("drop view insights_staging.int_person_needs")
    report = run_purge(built, settings, plan)
    assert any("because int_person_needs, which dates its rows, is not built" in one for one in report.warnings)
    assert "dim_persons" not in rows_by_relation(report) and "fact_tasks" in rows_by_relation(report)
    assert rows_by_relation(run_preview(prepared, settings, plan)) == {"digest_deliveries": 0}  # of insights init
    prepared.execute("drop table insights_ops.purge_log cascade")
    with pytest.raises(InsightsError, match="Run first: insights init"):
        run_preview(prepared, settings, plan)
