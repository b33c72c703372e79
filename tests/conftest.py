"""Fixtures: a private PostgreSQL for the whole run, and databases in it - empty, or with the built sample."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from support import in_process
from support.dashboards import pools
from support.warehouse import Warehouse, create_database, drop_database
from support.workshop.lent_copies import Copies

from orchestration import dbt, supervision
from orchestration.config.files import Settings, load_settings
from orchestration.config.variables import AIRFLOW_DATABASE
from orchestration.manifest import read_manifest
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root

_numbers = count()

# The files of at least half a minute, the longest first. Each runs in one process, so a long one at the end would run
# alone.
LONGEST_FIRST = (
    *("test_airflow_service.py", "test_engines_agree.py", "test_deployed_schema.py", "test_benchmarks.py"),
    *("test_export_stricter_rows.py", "test_incident_log.py", "test_newcomer.py", "test_dag_runs.py"),
    *("test_read_only_checkout.py", "test_publications.py", "test_source_guard.py", "test_policy_models.py"),
    *("test_file_of_duckdb.py", "test_recoveries.py", "test_init.py", "test_page_views.py"),
    *("test_other_packages.py", "test_snapshot.py", "test_changed_trends.py", "test_packages.py"),
    *("test_semantic_models.py", "test_drill.py", "test_demo.py", "test_check.py", "test_incremental.py"),
    *("test_celery.py", "test_page_states.py", "test_source_in_use.py", "test_connection.py"),
    *("test_backlog.py", "test_readers.py", "test_publish.py", "test_quarter.py"),
    *("test_kills.py", "test_changes.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; the others stay in their order."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session", autouse=True)
def clean_environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Remove the caller's variables of PostgreSQL, Insights, dbt and proxies, and give dbt its own folders."""
    for name in [n for n in os.environ if n.startswith(("PG", "INSIGHTS_", "DBT_")) and n != "INSIGHTS_INCIDENT_LOG"]:
        del os.environ[name]
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:  # the servers of the tests are on this machine
        del os.environ[name]
    place = tmp_path_factory.getbasetemp()
    # A pytest that a test starts inherits the variables of xdist, but is no worker: what lies beside its folder is old.
    in_process.share(place.parent if hasattr(request.config, "workerinput") else place)
    os.environ["DBT_TARGET_PATH"] = str(tmp_path_factory.mktemp("target"))
    os.environ["DBT_LOG_PATH"] = str(tmp_path_factory.mktemp("logs"))
    os.environ["DBT_LOG_LEVEL_FILE"] = "none"  # a tenth of dbt's processor time; what reads the log sets a level


@pytest.fixture(scope="session", autouse=True)
def dbt_in_this_process() -> Iterator[None]:
    """Let the functions that tests call run dbt without a process of its own, which takes seconds to start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt, "run_dbt", in_process.run_dbt)
        yield


@pytest.fixture(autouse=True)
def airflow_of_dags_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the Airflow of the tests of DAGs from the others: what its metadata has depends on which of them ran."""
    if request.path.parent.name != "dags":
        monkeypatch.delenv(AIRFLOW_DATABASE, raising=False)


@pytest.fixture(autouse=True)
def closed_pools() -> Iterator[None]:
    """Close what a test has opened: the garbage collector comes late, and the reader's role has few connections."""
    yield
    pools.close_all()


@pytest.fixture
def dbt_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions that a test calls start a process of dbt, as they do outside of tests."""
    monkeypatch.setattr(dbt, "run_dbt", supervision.run_dbt)


@pytest.fixture(scope="session")
def settings(clean_environment: None) -> Settings:
    """Return the shipped configuration, for dev."""
    return load_settings()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """Yield a running PostgreSQL server of this test run."""
    state = state_root(tmp_path_factory.mktemp("services"))
    server = LocalPostgres(state)
    server.start()
    yield server
    server.stop()
    remove_state(state)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[LocalRedis]:
    """Yield a running, empty Redis for one test."""
    state = state_root(tmp_path / "redis")
    server = LocalRedis(state)
    server.start()
    yield server
    server.stop()
    remove_state(state)


@pytest.fixture
def database(postgres: LocalPostgres) -> Iterator[str]:
    """Yield the URL of a new, empty database, and drop the database after the test."""
    name = f"test_{next(_numbers)}"
    create_database(postgres, name)
    yield postgres.url(name, "postgres")
    drop_database(postgres, name)


@pytest.fixture
def operational(database: str, postgres: LocalPostgres, settings: Settings) -> Warehouse:
    """Return a database with the contract's operational tables, empty and without Insights."""
    warehouse = Warehouse(database.split("@/")[1].split("?", maxsplit=1)[0], postgres, settings)
    with connect(warehouse.admin_url) as connection:
        create_operational_schema(connection)
    return warehouse


@pytest.fixture(scope="session")
def prepared_sample(postgres: LocalPostgres, settings: Settings) -> str:
    """Return the name of a database with the sample after `insights init`, before any build. Copy it, never use it."""
    postgres.create_database("prepared_sample")
    with connect(postgres.url("prepared_sample", "postgres")) as connection:
        load_sample(connection)
        initialize(connection, settings)
    return "prepared_sample"


@pytest.fixture(scope="session")
def built_sample(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> str:
    """Return the name of a database with the built sample. Copy it; test_custom_tests_can_fail.py tests its data."""
    warehouse = Warehouse.copy_of(prepared_sample, "built_sample", postgres, settings)
    result = warehouse.build("--exclude-resource-type", "test", "unit_test")
    assert result.succeeded, result.output
    # From the project that this process has parsed; a command in a process of its own would parse it again.
    read_manifest(settings)
    return "built_sample"


@pytest.fixture(scope="session")
def prepared_copies(postgres: LocalPostgres, settings: Settings, prepared_sample: str) -> Copies:
    """Return the copies of the sample after `insights init`."""
    return Copies(prepared_sample, postgres, settings)


@pytest.fixture(scope="session")
def built_copies(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Copies:
    """Return the copies of the built sample."""
    return Copies(built_sample, postgres, settings)


@pytest.fixture
def prepared(prepared_copies: Copies) -> Iterator[Warehouse]:
    """Yield a copy of the sample after `insights init`, for one test."""
    with prepared_copies.lent() as warehouse:
        yield warehouse


@pytest.fixture
def built(built_copies: Copies) -> Iterator[Warehouse]:
    """Yield a copy of the built sample, for one test."""
    with built_copies.lent() as warehouse:
        yield warehouse


@pytest.fixture(scope="session")
def incident_log() -> Path:
    """Return the path of the real incident log. Skips the test when the file is absent."""
    here = Path(__file__).resolve()
    path = Path(os.environ.get("INSIGHTS_INCIDENT_LOG", here.parents[2] / "shared/data/incident_event_log.zip"))
    if not path.exists():
        pytest.skip(f"the incident log is not at {path}; INSIGHTS_INCIDENT_LOG can name another place")
    return path
