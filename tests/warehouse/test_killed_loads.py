"""A load that is stopped or killed: dbt ends with it, and the writer lock is free only when nothing writes any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.contents import contents
from support.saved_parse import save_for_insights
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse, connect_as, disposable_copy

from orchestration.config.files import Settings
from orchestration.dbt import LOADING
from orchestration.errors import BusyError
from orchestration.warehouse import claims
from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

INSIGHTS = str(Path(sys.executable).with_name("insights"))
SELECTED = ("--as-of", NEXT_DAY.isoformat(), "--select", "dim_learning_groups", *NO_TESTS)
# What a shell does to a command in the background: dbt must still take the interrupt that is passed on to it.
IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
# A run of the tests that was itself started with nohup or in the background must not pass on that it ignores signals.
IN_FOREGROUND = (
    sys.executable,
    "-c",
    "import os, signal, sys; [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGINT)];"
    " os.execv(sys.argv[1], sys.argv[1:])",
)
# What a load that went on would write.
RENAMED = """
    update learning_groups set name = 'renamed', updated_at = '2026-01-01 12:00+00'
    where id = (select min(id::text)::uuid from learning_groups)
"""
TABLE = "insights.dim_learning_groups"
WAITING = f"select exists (select from pg_locks where relation = '{TABLE}'::regclass and not granted)"  # noqa: S608
SESSIONS = f"select not exists (select from pg_stat_activity where application_name = '{LOADING}')"  # noqa: S608


@pytest.fixture(scope="module")
def stoppable(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Yield a warehouse with a row to load, which each load fails to write; the project is parsed for them."""
    with disposable_copy(built_sample, "stopped_loads", postgres, settings) as warehouse:
        warehouse.execute(RENAMED)
        save_for_insights(settings, warehouse.etl_url, as_of=NEXT_DAY.isoformat())
        yield warehouse


@pytest.mark.parametrize(
    ("number", "shell", "exit_code"),
    [
        (signal.SIGTERM, IN_BACKGROUND, 143),
        (signal.SIGHUP, IN_FOREGROUND, 129),
        (signal.SIGINT, IN_FOREGROUND, 130),
        (signal.SIGKILL, (), -signal.SIGKILL),
    ],
)
def test_dbt_ends_with_the_command_that_started_it(
    stoppable: Warehouse, number: signal.Signals, shell: tuple[str, ...], exit_code: int
) -> None:
    before = contents(stoppable, TABLE)
    with connect_as(stoppable.admin_url) as other, other.transaction():
        other.execute(f"lock table {TABLE} in share row exclusive mode")
        process = subprocess.Popen(
            [*shell, INSIGHTS, "build", *SELECTED],
            env=os.environ | {"INSIGHTS_WAREHOUSE_URL": stoppable.etl_url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stoppable.wait_for(WAITING)
        process.send_signal(number)  # to this process alone, as `kill PID` does
        assert process.wait() == exit_code
        # The waiting statement ends while its lock is still out of reach.
        with stoppable.locked():
            stoppable.wait_for(SESSIONS)
    assert contents(stoppable, TABLE) == before


def test_a_second_writer_waits_for_transactions_of_a_killed_load(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prepared.locked() as first, connect(prepared.etl_url) as left:
        left.execute("select insights_ops.prove_claim('writer', max(claim_number)) from insights_ops.claims")
        prepared.rows("select pg_terminate_backend(%s, 180000)", first.connection.info.backend_pid)
        monkeypatch.setattr(claims, "PATIENCE", "100ms")
        pid = left.info.backend_pid
        sentence = rf"still has a statement running .*: process {pid} \(.*pg_terminate_backend\({pid}\)"
        with pytest.raises(BusyError, match=sentence), prepared.locked():
            pass
        left.rollback()
        with prepared.locked():
            prepared.wait_for(SESSIONS)
