"""`insights backup drill` on a real server: it restores, takes away what must not come back, tests, and measures."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.backups.server import NAME, Backed, settings_for
from support.warehouse import Warehouse, stopped

from orchestration.backups.compared import compare, has_half_a_load, read_written
from orchestration.backups.drill import CLAIM, STEPS, drill, within_rto
from orchestration.backups.recorded import Drill
from orchestration.backups.scratch import PREFIX, remove
from orchestration.cli import commands
from orchestration.errors import BadInputError, BusyError, FailedError
from orchestration.warehouse.claims import held
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

pytest_plugins = ["support.backups.fixtures"]
pytestmark = pytest.mark.services

PENDING = """
    select r.case_id from insights_ops.review_requests as r
    left join insights_ops.review_deliveries as d on r.case_id = d.case_id
    where coalesce(d.status, 'pending') = 'pending'
"""


@pytest.fixture(scope="module", autouse=True)
def as_built(backed: Backed, patched: pytest.MonkeyPatch) -> None:
    """Use the settings of dev, with which the sample was built: data tests compare with the retention."""
    backed.settings = settings_for(backed.state, "dev", backed.warehouse.etl_url, patched)


def scratch_rows(backed: Backed, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the restored server, which runs while the drill does."""
    (folder,) = backed.directory.glob(f"{PREFIX}*")
    with connect(f"postgresql://postgres@/{NAME}?host={folder}") as connection:
        return connection.execute(query).fetchall()


def test_a_drill_during_a_load_restores_the_state_before_it(backed: Backed) -> None:
    warehouse = backed.warehouse
    backed.moment()  # or the load could begin in the second in which the backup ended, which cannot be restored
    backed.archive()
    with warehouse.locked():
        warehouse.execute(
            "create table public.aside as select * from insights.dim_tasks; delete from insights.dim_tasks"
        )
        backed.archive()
        result = CliRunner().invoke(commands, ["backup", "drill", "--format", "json"])
        assert warehouse.value("select count(*) from insights.dim_tasks") == 0  # the load goes on undisturbed
        warehouse.execute("insert into insights.dim_tasks select * from public.aside")
    assert result.exit_code == 0, result.output
    (shown,) = json.loads(result.stdout)
    claimed = warehouse.value("select claimed_at from insights_ops.claims where claim_name = 'writer'").astimezone(UTC)
    assert shown["target"] == claimed.isoformat(" ", "seconds")
    assert datetime.fromisoformat(shown["restored_until"]) < claimed
    assert shown["rto_seconds"] == pytest.approx(sum(shown[f"{step}_seconds"] for step in STEPS), abs=0.1)
    assert (shown["relations_compared"], shown["failure"]) == (0, None)  # half a load is not compared
    assert list(backed.directory.glob(f"{PREFIX}*")) == []
    kept = "select target, rto_seconds, failure from insights_ops.backup_drills order by ended_at desc limit 1"
    assert warehouse.rows(kept) == [(claimed, pytest.approx(shown["rto_seconds"], abs=0.1), None)]


def test_a_moment_between_a_delivery_and_its_mark_is_not_asked_for_again(backed: Backed) -> None:
    warehouse = backed.warehouse
    case, other = (c for (c,) in warehouse.rows("select case_id from insights_ops.review_requests order by 1 limit 2"))
    running_since = warehouse.value("select pg_postmaster_start_time()")
    # Core Services has the case; the mark comes only after the moment that is restored.
    target = backed.moment()
    with connect(warehouse.admin_url) as connection:
        connection.execute("insert into insights_ops.review_deliveries values (%s, 'sent', 1, '201 Created')", [case])
    backed.archive()
    seen: dict[str, set[object]] = {}

    def look(done: int, total: int, doing: str = "") -> None:
        if doing in (STEPS["reapply"], STEPS["test"]):
            seen[doing] = {c for (c,) in scratch_rows(backed, PENDING)}
            # ALTER SYSTEM of the real server, which is restored too, has no say.
            assert scratch_rows(backed, "show shared_buffers") == [("256MB",)]

    left = backed.directory / f"{PREFIX}left"  # by a drill that was killed
    (left / "data").mkdir(parents=True)
    for name in ("PG_VERSION", "postmaster.pid"):  # a copy of the folder of the real server, which must not be ended
        shutil.copy(backed.data / name, left / "data" / name)
    tried = drill(backed.settings, target, progress=look)
    assert tried.failure is None
    assert not left.exists()
    assert warehouse.value("select pg_postmaster_start_time()") == running_since
    assert {case, other} <= seen[STEPS["reapply"]]
    assert seen[STEPS["reapply"]] - seen[STEPS["test"]] == {case}
    loaded = "select count(distinct relation_name) from insights_ops.load_log"
    marts = warehouse.value(f"{loaded} where to_regclass('insights.' || relation_name) is not null")
    assert tried.relations_compared == marts
    assert tried.relations_compared > 10
    assert tried.restored_until
    assert tried.restored_until <= target


def test_rows_that_are_missing_are_counted(backed: Backed) -> None:
    # Without a restore: a copy of the database stands for the restored one, and has one row less.
    warehouse = backed.warehouse
    copy = Warehouse.copy_of(NAME, "copied", warehouse.postgres, backed.settings)
    rows = warehouse.value("select count(*) from insights.fact_tasks")
    copy.execute("delete from insights.fact_tasks where id = (select min(id) from insights.fact_tasks)")
    with Database.open(backed.settings, copy.etl_url) as restored, backed.opened() as live:
        before = read_written(live)
        compared, differing = compare(restored, live, before)
        assert differing == [f"fact_tasks has {rows - 1:,} restored and {rows:,} now"]
        assert compared > 10
        # A purge that began after the drill, or a load that is running at the end, explains any difference.
        assert compare(restored, live, replace(before, newest_purge=before.newest_purge - 1)) == (0, [])
        with warehouse.locked():
            assert compare(restored, live, before) == (0, [])


def test_half_a_load_is_recognized_by_the_claim_that_it_has_not_released(backed: Backed) -> None:
    warehouse = backed.warehouse
    with warehouse.locked():
        pass
    with backed.opened() as db:
        ended = read_written(db)
        with warehouse.locked():  # the restored state would have the claim just so
            running = read_written(db)
            assert running.number > ended.number
            assert running.since
            assert has_half_a_load(db, ended)  # it began after the drill
            assert has_half_a_load(db, running)  # it was running when the drill began
            assert not has_half_a_load(db, replace(running, since=None))  # one that was killed before the drill
        assert not has_half_a_load(db, ended)


@pytest.mark.parametrize("hours", [-24 * 365, 24])
def test_a_time_that_is_not_archived_is_refused_with_those_that_are(hours: int, backed: Backed) -> None:
    with pytest.raises(BadInputError, match=r"cannot be restored: it must be from \d{4}-.* to \d{4}-"):
        drill(backed.settings, backed.now() + timedelta(hours=hours))


def test_a_load_of_which_nothing_is_archived_is_not_restored(backed: Backed) -> None:
    warehouse = backed.warehouse
    backed.archive()
    archiver = warehouse.value("select pid from pg_stat_activity where backend_type = 'archiver'")
    with ExitStack() as load:
        with stopped(archiver):
            warehouse.execute("create table public.before_the_load as select 1 as one")
            with connect(warehouse.admin_url, autocommit=True) as connection:
                connection.execute("select pg_switch_wal()")
            load.enter_context(warehouse.locked())
        # The segment from before the load is archived now, later than the load began.
        warehouse.wait_for(
            "select last_archived_time > (select claimed_at from insights_ops.claims where claim_name = 'writer')"
            " from pg_stat_archiver"
        )
        seen: list[object] = []

        def look(done: int, total: int, doing: str = "") -> None:
            if doing == STEPS["reapply"]:
                seen.extend(scratch_rows(backed, "select one from public.before_the_load"))
                raise FailedError("enough was seen")

        tried = drill(backed.settings, progress=look)
    assert (tried.failure, seen) == ("enough was seen", [(1,)])


@pytest.mark.parametrize(
    ("number", "reached"),
    [(signal.SIGTERM, "data/PG_VERSION"), (signal.SIGHUP, ".s.PGSQL.5432")],  # while it restores; once the server runs
)
def test_a_drill_that_is_told_to_end_leaves_nothing(number: signal.Signals, reached: str, backed: Backed) -> None:
    # nohup, below which these tests may run, would let it ignore the end of its terminal.
    command = ["env", "--default-signal=HUP", str(Path(sys.executable).with_name("insights")), "backup", "drill"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + 120
        while not (found := list(backed.directory.glob(f"{PREFIX}*/{reached}"))):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        (folder,) = backed.directory.glob(f"{PREFIX}*")
        assert bool(servers_in(folder)) == found[0].is_socket()
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert list(backed.directory.glob(f"{PREFIX}*")) == []
    assert servers_in(folder) == []


def servers_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder, or in one that was removed."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink().is_relative_to(folder):
                found.append(int(entry.parent.name))
    return found


def test_a_copy_that_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("orchestration.backups.scratch.REMOVE_SECONDS", 0)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(FailedError, match=rf"^{tmp_path}, a copy of the warehouse, could not be removed .*Permission"):
        remove(tmp_path)


def test_one_drill_runs_at_a_time(backed: Backed) -> None:
    with (
        backed.opened() as db,
        held(db, CLAIM, ""),
        pytest.raises(BusyError, match="Another process is trying a backup of this warehouse"),
    ):
        drill(backed.settings)


def test_a_drill_that_took_too_long_has_failed() -> None:
    started = datetime(2026, 1, 2, tzinfo=UTC)
    assert within_rto(Drill(started, rto_seconds=3600), 60).failure is None
    late = within_rto(Drill(started, rto_seconds=3660), 60)
    assert late.failure == "It took 61.0 minutes, 60 are allowed (insights.backups.rto_minutes)."
    assert within_rto(Drill(started, rto_seconds=9999, failure="no room"), 60).failure == "no room"
