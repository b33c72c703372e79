"""Test a real private Airflow: start, runs, kills, stop and restart, and loads whose warehouse server is killed."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from support.airflow.airflow_place import Place, is_listening, server_pid, wait_until
from support.policy import manifest
from support.saved_parse import save_for_insights
from support.warehouse import Warehouse

from orchestration.cli import commands as insights_commands
from orchestration.config.files import Settings, load_settings
from orchestration.errors import InsightsError
from orchestration.manifest import marts, read_manifest
from workshop import airflow_demo
from workshop.cli import commands
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalAirflow, LocalPostgres, __main__, remove_state, state_root
from workshop.services.airflow_api import AirflowApi

needs_services = pytest.mark.services

EVENTS_KEY, DIMENSIONS_KEY = "daily_events_load", "daily_dimensions_sync"
EVENTS, DIMENSIONS = f"insights_{EVENTS_KEY}", f"insights_{DIMENSIONS_KEY}"

LAST_WEEK = date(2025, 12, 25)

WAIT_SECONDS = 300  # generous, because the machine may be busy

# While the table gate has a row, a load of fact_tasks waits before its row in the load log, with its rows uncommitted.
GATE = """
    create table public.gate as select 'closed' as state;
    create function public.wait_at_the_gate() returns trigger language plpgsql security definer as $$
    begin
        while exists (select from public.gate) loop perform pg_sleep(0.05); end loop;
        return new;
    end $$;
    create trigger gate before insert on insights_ops.load_log
    for each row when (new.relation_name = 'fact_tasks') execute function public.wait_at_the_gate();
"""


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres: LocalPostgres, settings: Settings, prepared_sample: str
) -> Iterator[Place]:
    top = tmp_path_factory.mktemp("airflow")
    state = state_root(top)
    read_manifest(settings)  # makes it if no other test has
    warehouse = Warehouse.copy_of(prepared_sample, "loaded_by_airflow", postgres, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_ENV", "prod")
        save_for_insights(load_settings(), warehouse.etl_url, as_of=SAMPLE_AS_OF.isoformat())
    created = Place.of(top, state, warehouse)
    yield created
    state_root(top)  # `clean` may have removed the folder
    created.airflow.stop()
    remove_state(state)
    postgres.start()  # a failed test may leave the server killed


@pytest.fixture
def running(place: Place) -> LocalAirflow:
    place.airflow.start()
    return place.airflow


@pytest.fixture
def api(running: LocalAirflow) -> AirflowApi:
    return AirflowApi(running)


@needs_services
def test_airflow_starts_healthy_and_private(running: LocalAirflow) -> None:
    assert running.is_running()
    parts = running.release.healthy_parts  # a late heartbeat makes them unhealthy for a moment
    wait_until(lambda: {running.health().get(part, {}).get("status") for part in parts} == {"healthy"})
    assert urlsplit(running.url).hostname == "127.0.0.1"
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((running.folder / "secrets.json").stat().st_mode) == 0o600
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{running.url}{running.release.api_path}/dags", timeout=120)  # noqa: S310 - http, see url


@needs_services
def test_a_dag_runs_only_when_triggered(api: AirflowApi) -> None:
    api.wait_for_dag("quick", WAIT_SECONDS)
    run = api.wait(api.trigger("quick", {}), WAIT_SECONDS)
    assert run.state == "success"
    assert api.tasks(run) == {"env": "success"}
    assert [other.run_id for other in api.runs("quick")] == [run.run_id]


@needs_services
def test_a_broken_dag_file_is_reported_and_does_not_affect_others(api: AirflowApi) -> None:
    api.wait_for_dag("quick", WAIT_SECONDS)
    wait_until(lambda: bool(api.import_errors()))
    (error,) = api.import_errors().items()
    assert Path(error[0]).name == "broken.py"  # Airflow 3 says where it is in the folder of DAGs
    assert "ValueError: this DAG file of Airflow is broken on purpose" in error[1]
    api.wait_for_dag(EVENTS, WAIT_SECONDS)
    assert api.dags() == [*sorted(dag.id for dag in load_settings().dags.values()), "patient", "quick"]
    with pytest.raises(InsightsError, match=r"(?s)no DAG broken after 0 s; import errors: .*on purpose"):
        api.wait_for_dag("broken", 0)
    with pytest.raises(InsightsError, match="404"):
        api.trigger("broken", {})


@needs_services
def test_queued_and_running_tasks_of_a_killed_scheduler_succeed_after_restart(place: Place, api: AirflowApi) -> None:
    api.wait_for_dag("patient", WAIT_SECONDS)
    interrupted = api.trigger("patient", {})
    wait_until(place.tries.exists)
    others = {name: pid for name, pid in place.airflow.programs().items() if name != "scheduler"}
    scheduler = place.airflow.pid("scheduler")
    assert scheduler
    before = place.pids()
    os.kill(scheduler, signal.SIGKILL)
    wait_until(lambda: place.airflow.pid("scheduler") is None)
    assert not place.airflow.is_running()
    queued = api.trigger("quick", {})
    assert queued.state == "queued"
    place.airflow.start()
    assert {name: place.airflow.pid(name) for name in others} == others
    assert api.wait(queued, WAIT_SECONDS).state == "success"
    assert api.wait(interrupted, WAIT_SECONDS).state == "success"
    assert place.tries.read_text() == "try\n" * 2
    # No worker of the killed scheduler is alive: the remaining processes belong to the other programs.
    alive = place.pids()
    assert scheduler not in alive
    for pid in before & alive:
        started = Path(f"/proc/{pid}/environ").read_bytes()
        assert any(f"-{name}\0".encode() in started for name in others), pid


def _contents(warehouse: Warehouse, names: list[str]) -> dict[str, list[tuple[str]]]:
    """Return every row of each mart as text, without loaded_at."""
    query = "select (to_jsonb(stored) - 'loaded_at')::text as line from insights.{} as stored order by line"
    return {name: warehouse.rows(query.format(name)) for name in names}


@needs_services
@pytest.mark.timeout(1200)
def test_a_load_survives_a_concurrent_writer_and_a_crash_and_a_replay_of_last_week_follows(
    place: Place, api: AirflowApi, built: Warehouse, postgres: LocalPostgres
) -> None:
    metadata_folder = place.state / f"metadata{place.airflow.release.suffix}" / "postgres"
    loaded, metadata = place.warehouse, server_pid(metadata_folder)
    api.wait_for_dag(EVENTS, WAIT_SECONDS)
    loaded.execute(GATE)
    with loaded.locked():  # like `insights build`
        load = api.trigger(EVENTS, {"as_of": SAMPLE_AS_OF.isoformat()})
        replay = api.trigger(EVENTS, {"as_of": LAST_WEEK.isoformat()})
        wait_until(lambda: place.has_failed(load, "staging_and_intermediate"))
    waiting = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and query like '%load_log%'"
    wait_until(lambda: loaded.value(waiting) > 0)  # a mart is written but not committed
    assert api.tasks(load)["staging_and_intermediate"] == "success"
    assert {run.run_id: run.state for run in api.runs(EVENTS)}[replay.run_id] == "queued"
    variables = {"INSIGHTS_WAREHOUSE_URL": loaded.etl_url, "INSIGHTS_ENV": "prod"}
    by_hand = CliRunner().invoke(insights_commands, ["build"], env=variables)
    assert "Another process is writing to this warehouse" in str(by_hand.exception)
    os.kill(server_pid(postgres.socket_dir), signal.SIGKILL)
    wait_until(lambda: not postgres.is_running())
    postgres.start()  # also ends orphaned backends of the killed server
    loaded.execute("delete from public.gate")

    assert api.wait(load, WAIT_SECONDS).state == "success", api.tasks(load)
    once, tries = dict.fromkeys(api.tasks(load), 1), place.tries_of(load)
    # Two tries each; more if a busy machine is slow to release the lock or to start the server.
    assert tries.pop("staging_and_intermediate") >= 2 and tries.pop("facts") >= 2
    assert tries.items() <= once.items() and len(tries) == len(once) - 2
    sync = api.trigger(DIMENSIONS, {"as_of": SAMPLE_AS_OF.isoformat()})
    assert api.wait(replay, WAIT_SECONDS).state == "success", api.tasks(replay)
    assert api.wait(sync, WAIT_SECONDS).state == "success", api.tasks(sync)
    # Both ran in parallel, but the pool has one slot, so no task met the other run's lock.
    assert place.tries_of(replay) == once
    assert set(place.tries_of(sync).values()) == {1}
    began, (_, ended) = place.start_and_end(replay)[0], place.start_and_end(load)
    assert ended <= began
    assert server_pid(metadata_folder) == metadata, "Airflow's metadata server was restarted"

    event_marts, report_marts = (marts(manifest(), dag=EVENTS_KEY, folder=folder) for folder in ("core", "reports"))
    dimension_marts = marts(manifest(), dag=DIMENSIONS_KEY, folder="core")
    everything = event_marts + report_marts + dimension_marts
    assert _contents(loaded, everything) == _contents(built, everything)
    for name in event_marts:
        assert loaded.value(f"select count(*) from insights.{name} where loaded_at >= %s", began) == 0, name  # noqa: S608
    whole, again = (SAMPLE_AS_OF, SAMPLE_AS_OF, "prod"), (LAST_WEEK, SAMPLE_AS_OF, "prod")
    query = (
        "select as_of, horizon, environment from insights_ops.load_log where relation_name = %s order by load_log_id"
    )
    for name in event_marts:  # a load committed just before the crash is repeated and logged again
        assert [*dict.fromkeys(loaded.rows(query, name))] == [whole, again], name
    for name in dimension_marts:
        assert loaded.rows(query, name) == [whole], name
    # Airflow's scheduler has recorded the ends of both DAGs, with the steps of the latest run.
    ends = "select count(*) from insights_ops.dag_outcomes where not is_failing and failures = 0"
    wait_until(lambda: loaded.value(ends) == 2)
    steps = "select jsonb_object_keys(step_seconds) from insights_ops.dag_outcomes where dag_id = %s"
    assert {step for (step,) in loaded.rows(steps, EVENTS)} == {task.partition(".")[0] for task in api.tasks(replay)}


@needs_services
def test_status_shows_running_programs_and_url(
    place: Place, running: LocalAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_demo, "state_root", lambda project: place.state)

    def status() -> str:
        return CliRunner().invoke(commands, ["airflow", "status"], catch_exceptions=False).output

    wait_until(lambda: f"the {running.release.server} says of the metadatabase: healthy" in status())
    for program in running.release.program_names:
        assert re.search(rf"^  {program} +running, process {running.pid(program)}$", status(), re.M)
    assert f"{running.url}   user admin, password {running.secrets.password}" in status()
    unknown = CliRunner().invoke(commands, ["airflow", "run", "insights_hourly"])
    assert "There is no DAG insights_hourly; config/insights/dags.yaml has insights_daily" in str(unknown.exception)


@needs_services
def test_airflow_stops_completely_and_restarts_with_users_keys_and_history(place: Place, api: AirflowApi) -> None:
    api.wait_for_dag("quick", WAIT_SECONDS)
    run = api.wait(api.trigger("quick", {}), WAIT_SECONDS)
    secrets, url = place.airflow.secrets, place.airflow.url
    place.airflow.stop()
    place.airflow.stop()
    assert place.pids() == set()
    assert not (place.state / f"metadata{place.airflow.release.suffix}/postgres/data/postmaster.pid").exists()
    assert not is_listening(url)
    assert place.airflow.health() == {}
    with pytest.raises(InsightsError, match="does not answer"):
        api.dags()
    # Stale pid files with the id of an unrelated process and a port in use must not prevent the start.
    server = place.airflow.release.server
    for name in ("scheduler.pid", f"{server}.pid", f"airflow-{server}.pid", f"airflow-{server}-monitor.pid"):
        (place.airflow.folder / name).write_text(f"{os.getpid()}\n")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections to it may be in TIME_WAIT
        taken.bind(("127.0.0.1", urlsplit(url).port or 0))
        taken.listen()
        assert not place.airflow.is_running()
        place.airflow.start()
    assert place.airflow.url != url
    assert place.airflow.secrets == secrets
    assert run.run_id in [kept.run_id for kept in AirflowApi(place.airflow).runs("quick") if kept.state == "success"]


@needs_services
def test_a_killed_server_is_replaced_and_clean_removes_all(
    place: Place, running: LocalAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "state_root", lambda project: place.state)
    url, name = running.url, running.release.server
    server = running.pid(name)
    assert server
    os.kill(server, signal.SIGKILL)
    wait_until(lambda: running.pid(name) is None)
    running.start()
    assert running.url == url  # the workers of the killed server held the port
    assert is_listening(url)
    assert __main__.main(["clean"]) == 0
    assert place.pids() == set()
    assert not place.state.exists()
    assert not running.is_running()
