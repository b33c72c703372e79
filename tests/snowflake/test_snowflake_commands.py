"""The commands on Snowflake: init, the lease of the writer, the guard of the source, and what they refuse."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

pytest.importorskip(
    "fakesnow", reason="the emulator of Snowflake is in an environment of its own: ./dev snowflake test"
)

from support.engines.emulated_snowflake import Snowflake, emulator
from support.warehouse import disposable_copy

from orchestration.config.files import Settings
from orchestration.errors import BadInputError, BusyError, FailedError, NotPreparedError, RefusedError
from orchestration.warehouse.releases import this_release
from orchestration.warehouse.snowflake import lease
from orchestration.warehouse.snowflake.guard import check_source_rows
from orchestration.warehouse.snowflake.lease import writer_lease
from orchestration.warehouse.snowflake.purge import read_clock
from orchestration.warehouse.source.guard import Confirmed
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]

DAY = str(SAMPLE_AS_OF)


@pytest.fixture(scope="module")
def emulated(
    built_sample: str, postgres: LocalPostgres, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Snowflake]:
    """Yield an emulator with the operational tables of the sample, after `insights init`."""
    with (
        disposable_copy(built_sample, "snowflake_source", postgres, settings) as source,
        emulator(tmp_path_factory.mktemp("snowflake_commands")) as emulated,
    ):
        emulated.prepare()
        emulated.take(source, "source")
        yield emulated


@pytest.fixture
def expired(emulated: Snowflake) -> None:
    """Let no process have the lease."""
    emulated.session_execute("update insights_ops.leases set expires_at = dateadd('second', -1, current_timestamp())")


def test_init_is_idempotent(emulated: Snowflake) -> None:
    with emulated.session() as session:
        secret = session.value("select secret from insights_ops.secret_keys")
        assert len(secret) == 64
        done = emulated.insights("init")
        assert (done.returncode, done.stdout) == (0, "The database is prepared (0 of 8 profiles written).\n"), (
            done.stderr
        )
        assert session.rows("select secret from insights_ops.secret_keys") == [(secret,)]
        assert session.rows("select version from insights_ops.releases") == [(this_release(),)]
        assert session.value("select count(*) from insights_ops.profiles") == 8
        session.execute("update insights_ops.profiles set document = '{}' where profile_code = 'hospital'")
        session.execute(
            "insert into insights_ops.profiles select 'gone', default_visibility, 1, 1, '{}', updated_at from"
            " insights_ops.profiles where profile_code = 'hospital'"
        )
        assert "(2 of 8 profiles written)" in emulated.insights("init").stdout
        assert session.value("select count(*) from insights_ops.profiles where document = '{}'") == 0


def test_a_newer_release_is_not_undone(emulated: Snowflake) -> None:
    with emulated.session() as session:
        session.execute(
            "insert into insights_ops.releases (version, scripts_sha256, prepared_by) values ('99.0.0', '-', 'test')"
        )
        for command in (["init"], ["build", "--as-of", DAY], ["purge", "--yes"]):
            done = emulated.insights(*command)
            assert done.returncode == 1
            assert done.stderr.startswith("Error: Release 99.0.0 has prepared this "), done.stderr
        session.execute("delete from insights_ops.releases where version = '99.0.0'")


def test_the_second_writer_is_told_who_writes(emulated: Snowflake, expired: None) -> None:
    with emulated.session() as session, writer_lease(session) as number:
        with emulated.session() as another, pytest.raises(BusyError, match=rf"process {os.getpid()} is writing"):
            writer_lease(another).__enter__()
        for command in (["init"], ["build", "--as-of", DAY], ["purge", "--yes"]):
            done = emulated.insights(*command)
            assert done.returncode == 1
            assert f"process {os.getpid()} is writing to this warehouse since " in done.stderr
            assert done.stderr.count("\n") == 1
    with emulated.session() as session, writer_lease(session) as next_number:
        assert next_number == number + 1


def test_the_lease_of_a_killed_process_expires(
    emulated: Snowflake, expired: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = emulated.start("build", "--as-of", DAY)
    holder = "select holder from insights_ops.leases where expires_at > current_timestamp()"
    with emulated.session() as session:
        while not (found := session.rows(holder)):
            assert build.poll() is None, build.communicate()
            time.sleep(0.1)
        assert found[0][0].endswith(f"process {build.pid}")
        os.killpg(build.pid, signal.SIGKILL)
        build.communicate()
        with pytest.raises(BusyError, match=f"process {build.pid} is writing"):
            writer_lease(session).__enter__()
        # Nothing renews it any more, so this is what time does.
        session.execute("update insights_ops.leases set expires_at = dateadd('second', 1, current_timestamp())")
        while True:
            try:
                with writer_lease(session):
                    break
            except BusyError:
                time.sleep(0.2)


def test_a_lease_is_renewed_until_another_process_has_it(
    emulated: Snowflake, expired: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEWAL_SECONDS", 0.05)
    until = "select cast(expires_at as varchar) from insights_ops.leases"
    with (
        emulated.session() as session,
        emulated.session() as another,
        pytest.raises(FailedError, match="could not renew its lease"),
        writer_lease(session),
    ):
        first = another.value(until)
        while another.value(until) == first:
            time.sleep(0.05)
        another.execute("update insights_ops.leases set token = 'of another'")
        while any(thread.name == lease.THREAD for thread in threading.enumerate()):
            time.sleep(0.05)


def test_dbt_writes_nothing_without_its_lease(emulated: Snowflake, expired: None) -> None:
    done = emulated.run_dbt("seed", "--select", "tokens", as_of=SAMPLE_AS_OF, INSIGHTS_LEASE="123456")
    assert done.returncode == 1
    assert "the lease of the writer has expired, or another process has it" in done.stdout
    assert "tokens" not in {
        name
        for (name,) in emulated.rows(
            "select lower(table_name) from information_schema.tables where lower(table_schema) = 'insights'"
        )
    }


def test_lost_rows_stop_a_load_until_they_are_confirmed(emulated: Snowflake) -> None:
    with emulated.session() as session:
        check_source_rows(session, Confirmed())
        tasks = session.value("select row_count from insights_ops.source_counts where table_name = 'tasks'")
        assert tasks == session.value("select count(*) from public.tasks")
        session.execute("update insights_ops.source_counts set row_count = 2 * row_count where table_name = 'tasks'")
        with pytest.raises(
            RefusedError, match=rf"tasks \(before: {2 * tasks}, now: {tasks}\)\. No relation was changed"
        ):
            check_source_rows(session, Confirmed())
        check_source_rows(session, Confirmed(vanished=True))
        check_source_rows(session, Confirmed())
        session.execute("alter table public.tasks rename to public.others")
        with pytest.raises(NotPreparedError, match="The schema public lacks operational tables: tasks"):
            check_source_rows(session, Confirmed())
        assert "The schema public has no table tasks yet" in emulated.insights("init").stdout
        session.execute("alter table public.others rename to public.tasks")


def test_a_purge_of_the_future_is_refused(emulated: Snowflake) -> None:
    with emulated.session() as session, pytest.raises(BadInputError, match="as_of 2999-01-01 is in the future"):
        read_clock(session, SAMPLE_AS_OF.replace(year=2999, month=1, day=1))


NEED_POSTGRESQL = (
    "status",
    "doctor",
    "reconcile",
    "warm",
    "organizations",
    "reviews list",
    "run daily_events_load",
    "api",
)


@pytest.mark.parametrize("command", NEED_POSTGRESQL)
def test_what_needs_postgresql_says_so(emulated: Snowflake, command: str) -> None:
    done = emulated.insights(*command.split())
    assert done.returncode == 1
    assert done.stderr.startswith("Error: This needs PostgreSQL, and insights.warehouse.type is snowflake: "), (
        done.stderr
    )
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", [["--move-aside"], ["--admin-url", "postgresql://localhost/orgo"], ["--plan"]])
def test_options_of_a_server_are_refused(emulated: Snowflake, option: list[str]) -> None:
    done = emulated.insights("init", *option)
    assert done.returncode == 2
    assert "Roles of Snowflake are its administrator's, and there is no plan: leave out" in done.stderr


def test_the_variables_for_a_plain_dbt_lead_to_the_account(emulated: Snowflake) -> None:
    said = emulated.insights("env").stdout
    assert "export SNOWFLAKE_ACCOUNT=fakesnow\n" in said
    assert "PGHOST" not in said
