"""Two imports at once, a session that holds their lock, and a database with defaults made for an application."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from support.hostile.planted import TRAPS
from support.incidents.incident_database import Database, counts, operational_database, work
from support.incidents.incident_files import incident, write_csv

from orchestration.errors import BusyError
from workshop.cli.load_incidents import load_incidents
from workshop.incidents import ImportResult, import_incidents, importer
from workshop.incidents.importer import EVENTS
from workshop.incidents.merge import TableCount

LOG = incident("INC0000001", {"incident_state": "Active"}, {"assignment_group": "Group 2"})


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_concurrent_imports_run_one_after_the_other(
    isolation: str, orgo: Database, database: str, tmp_path: Path
) -> None:
    with orgo.transaction():
        name = sql.Identifier(orgo.info.dbname)
        orgo.execute(sql.SQL("alter database {} set default_transaction_isolation = {}").format(name, isolation))
    second: list[ImportResult] = []

    def run_second() -> None:
        with psycopg.connect(database) as connection:
            second.append(import_incidents(connection, log, report=tmp_path / "second.csv"))

    def start_second(step: str, share: float) -> None:
        if (step, share) == (EVENTS, 1):
            thread.start()
            with psycopg.connect(database, autocommit=True) as watcher:
                while not watcher.execute(waiting).fetchall():
                    time.sleep(0.05)

    waiting = (
        "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and query like '%pg_try_advisory_xact_lock%' and state = 'idle in transaction'"
    )
    log = write_csv(tmp_path / "log.csv", LOG)
    thread = threading.Thread(target=run_second)
    first = import_incidents(orgo, log, report=tmp_path / "first.csv", progress=start_second)
    thread.join()
    assert first.tables["task_events"] == TableCount(3, 0, 0)
    assert second[0].tables["task_events"] == TableCount(0, 0, 3)


def test_the_wait_for_a_foreign_lock_is_bounded_and_its_holder_is_named(
    orgo: Database, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "PATIENCE", 0)
    with psycopg.connect(database, autocommit=True, application_name="a BI tool") as other:
        other.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [importer.LOCK_NAME])
        log = write_csv(tmp_path / "log.csv", LOG)
        arguments = [str(log), "--report", str(tmp_path / "rejected.csv"), "--database-url", database]
        result = CliRunner().invoke(load_incidents, arguments)
        holder = f"process {other.info.backend_pid} (role postgres, application a BI tool)"
    assert isinstance(result.exception, BusyError)
    assert f"Another session holds the lock for importing incidents: {holder}." in str(result.exception)
    assert counts(orgo)["tasks"] == 0


# Each of them ends an import or bends its values where nothing overrides it.
DEFAULTS = {
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "statement_timeout": "20ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "200ms",
    "timezone": "Pacific/Chatham",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
}


def test_defaults_of_the_database_neither_end_an_import_nor_change_it(
    orgo: Database, database: str, tmp_path: Path
) -> None:
    many = [row for number in range(1000) for row in incident(f"INC{number:07}", {"incident_state": "Active"})]
    log = write_csv(tmp_path / "log.csv", many)
    import_incidents(orgo, log, report=tmp_path / "rejected.csv")
    expected = work(orgo)
    with orgo.transaction():
        orgo.execute("truncate task_events, tasks, cases, roles, person_profiles, user_accounts, organizations cascade")
        for name, value in DEFAULTS.items():
            given = (sql.Identifier(orgo.info.dbname), sql.Identifier(name), sql.Literal(value))
            orgo.execute(sql.SQL("alter database {} set {} = {}").format(*given))
    with psycopg.connect(database) as connection:
        import_incidents(connection, log, report=tmp_path / "rejected.csv")
    assert work(orgo) == expected != {}
    assert expected["tasks"]


def test_an_import_calls_nothing_that_others_have_planted(database: str, orgo: Database, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute("create role planter login; grant create, usage on schema public to planter")
        administrator.execute("set role planter")
        administrator.execute(TRAPS)
        administrator.execute("reset role")
        with pytest.raises(psycopg.Error, match="TRAP obj_description, called by"):
            administrator.execute("select obj_description('pg_class'::regclass, 'pg_class')")
        try:
            file = write_csv(tmp_path / "log.csv", LOG)
            for _ in range(2):
                assert import_incidents(orgo, file, report=tmp_path / "rejected.csv").rows == 3
        finally:
            administrator.execute("drop owned by planter cascade; drop role planter")
