"""A load that is stopped or killed: dbt ends with it, and the writer lock is free only when nothing writes any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.contents import contents
from support.saved_parse import save_for_insights
from support.small_scenario import NEXT_DAY
from support.warehouse import Warehouse, connect_as

from orchestration.dbt import LOADING
from orchestration.errors import BusyError
from orchestration.warehouse import claims
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.services

INSIGHTS = str(Path(sys.executable).with_name("insights"))
SELECTED = ("--as-of", NEXT_DAY.isoformat(), "--select", "+fact_tasks", "--exclude-resource-type", "test", "unit_test")
# What a shell does to a command in the background: dbt must still take the interrupt that is passed on to it.
IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
# A run of the tests that was itself started with nohup or in the background must not pass on that it ignores signals.
IN_FOREGROUND = (
    sys.executable,
    "-c",
    "import os, signal, sys; [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGINT)];"
    " os.execv(sys.argv[1], sys.argv[1:])",
)
WAITING = "select exists (select from pg_locks where relation = 'insights.fact_tasks'::regclass and not granted)"
SESSIONS = f"select not exists (select from pg_stat_activity where application_name = '{LOADING}')"  # noqa: S608


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
    built: Warehouse, number: signal.Signals, shell: tuple[str, ...], exit_code: int
) -> None:
    save_for_insights(built.settings, built.etl_url, as_of=NEXT_DAY.isoformat())
    before = contents(built, "insights.fact_tasks")
    with connect_as(built.admin_url) as other, other.transaction():
        other.execute("lock table insights.fact_tasks in share row exclusive mode")
        process = subprocess.Popen(
            [*shell, INSIGHTS, "build", *SELECTED],
            env=os.environ | {"INSIGHTS_WAREHOUSE_URL": built.etl_url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        built.wait_for(WAITING)
        process.send_signal(number)  # to this process alone, as `kill PID` does
        assert process.wait() == exit_code
        # The waiting statement ends while its lock is still out of reach.
        with built.locked():
            built.wait_for(SESSIONS)
    assert contents(built, "insights.fact_tasks") == before


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
