"""Test repeated imports: the same, newer and older files, parts in any order, and killed imports."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from support.incidents.incident_database import (
    Database,
    counts,
    empty,
    events,
    load,
    one,
    operational_database,
    rows,
    task,
    versions,
    work,
)
from support.incidents.incident_files import FIRST, history, incident, report_rows, write_csv

from orchestration.errors import InsightsError, UnavailableError
from workshop.cli.load_incidents import load_incidents
from workshop.incidents import import_incidents
from workshop.incidents.importer import EVENTS
from workshop.incidents.merge import TableCount
from workshop.operational import create_operational_schema

CLOSING = {"incident_state": "Closed", "closed_at": "4/3/2016 00:10", "closed_code": "code 1"}
WHOLE = [
    *incident(
        "INC0000001", {"incident_state": "Active"}, {"assignment_group": "Group 2", "reassignment_count": "3"}, CLOSING
    ),
    *incident("INC0000002", {"priority": "1 - Critical"}, {"location": "?"}, CLOSING, caller_id="Caller 2"),
    *incident(
        "INC0000003", {"sys_updated_at": "1/3/2016 00:10"}, {"sys_updated_at": "1/3/2016 00:10", "impact": "3 - Low"}
    ),
]


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


def test_a_second_import_of_the_same_file_changes_nothing(orgo: Database, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", [*WHOLE, FIRST | {"incident_state": "-100", "sys_mod_count": "9"}])
    load(orgo, log)
    before = versions(orgo)
    result = load(orgo, log)
    assert versions(orgo) == before
    assert {name: (count.loaded, count.updated) for name, count in result.tables.items()} == dict.fromkeys(
        before, (0, 0)
    )
    assert result.tables["task_events"] == TableCount(0, 0, unchanged=11, rejected=1)
    assert len(report_rows(tmp_path / "rejected.csv")) == 1


def test_a_newer_log_updates_tasks_and_adds_events(orgo: Database, tmp_path: Path) -> None:
    old = [row | {"closed_at": "?", "closed_code": "?"} for row in WHOLE[:2]]
    load(orgo, write_csv(tmp_path / "old.csv", old))
    (known, *_) = versions(orgo)["task_events"]
    assert task(orgo, "status::text, case_id, closed_at") == ("IN_PROGRESS", None, None)
    result = load(orgo, write_csv(tmp_path / "new.csv", [row | {"closed_at": "4/3/2016 00:10"} for row in WHOLE[:4]]))
    assert result.tables["task_events"] == TableCount(2, 0, unchanged=2)
    assert result.tables["tasks"] == TableCount(0, 1, 0)
    assert result.tables["cases"] == TableCount(1, 0, 0)
    assert task(orgo, "status::text, label, metadata ->> 'closed_code', case_id is null") == (
        "COMPLETED", "1001.81.IT.Group-2", "code 1", False,
    )  # fmt: skip
    assert known in versions(orgo)["task_events"]


def test_an_older_log_changes_nothing(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "new.csv", WHOLE))
    before = versions(orgo)
    old = [row | {"closed_at": "?", "closed_code": "?"} for row in [*WHOLE[:2], *WHOLE[4:6]]]
    result = load(orgo, write_csv(tmp_path / "old.csv", old))
    assert result.tables["task_events"] == TableCount(0, 0, unchanged=4)
    assert versions(orgo) == before


def test_a_row_between_two_imported_ones_revises_the_next_event(orgo: Database, tmp_path: Path) -> None:
    first, active, closed = history({"incident_state": "Active"}, {"incident_state": "Closed"})
    load(orgo, write_csv(tmp_path / "gap.csv", [first, closed]))
    kinds = "event_type::text, old_value ->> 'status', new_value ->> 'status'"
    assert events(orgo, kinds) == [("created", None, "PENDING"), ("status_changed", "PENDING", "COMPLETED")]
    result = load(orgo, write_csv(tmp_path / "row.csv", [active]))
    assert (result.tables["task_events"], result.revised_events) == (TableCount(1, 0, 0), 1)
    assert events(orgo, kinds) == [
        ("created", None, "PENDING"),
        ("status_changed", "PENDING", "IN_PROGRESS"),
        ("status_changed", "IN_PROGRESS", "COMPLETED"),
    ]


def test_a_newer_log_corrects_a_row(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "old.csv", history({"location": "Location 2"}, {"incident_state": "Closed"})))
    newer = history({"incident_state": "Active"}, {"incident_state": "Closed"})
    result = load(orgo, write_csv(tmp_path / "new.csv", newer))
    assert result.tables["task_events"] == TableCount(0, updated=2, unchanged=1)
    assert [kind for (kind,) in events(orgo, "event_type::text")] == ["created", "status_changed", "status_changed"]
    assert task(orgo, "metadata ->> 'location'") == ("Location 1",)


def test_a_case_stays_when_a_corrected_log_has_lower_counts(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "old.csv", history({"reopen_count": "1"}, {"reopen_count": "1"})))
    result = load(orgo, write_csv(tmp_path / "new.csv", history({}, {"incident_state": "Closed"})))
    assert result.tables["cases"] == TableCount(0, 1, 0)
    assert rows(orgo, "select status::text from cases") == [("resolved",)]
    assert task(orgo, "case_id is null") == (False,)


@pytest.mark.parametrize("seed", range(5))
def test_parts_in_any_order_give_the_same_result_as_the_whole(orgo: Database, tmp_path: Path, seed: int) -> None:
    load(orgo, write_csv(tmp_path / "whole.csv", WHOLE))
    expected = work(orgo)
    empty(orgo)
    shuffled = random.Random(seed).sample(WHOLE, len(WHOLE))  # noqa: S311 - must be reproducible
    parts = [shuffled[:3], shuffled[3:7], shuffled[7:]]
    results = [load(orgo, write_csv(tmp_path / f"{number}.csv", part)) for number, part in enumerate(parts)]
    assert [result.tables["task_events"].loaded for result in results] == [3, 4, 4]
    assert work(orgo) == expected


def test_earlier_rows_with_the_same_sys_mod_count_keep_their_order(orgo: Database, tmp_path: Path) -> None:
    minute = "2/3/2016 00:10"
    log = history(
        {"sys_mod_count": "0", "sys_updated_at": minute, "location": "Location 2"},
        {"sys_mod_count": "1", "sys_updated_at": minute, "location": "Location 3"},
        {"sys_mod_count": "2", "location": "Location 3", "incident_state": "Active"},
    )
    load(orgo, write_csv(tmp_path / "old.csv", log[:3]))
    load(orgo, write_csv(tmp_path / "new.csv", log[3:]))
    assert events(orgo, "new_value -> 'incident' ->> 'location'")[1:] == [("Location 2",), ("Location 3",), (None,)]


def test_data_that_orgo_added_to_an_imported_task_stays(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "part.csv", WHOLE[:2]))
    with orgo.transaction():
        orgo.execute(
            "insert into task_events (id, task_id, organization_id, event_type, new_value)"
            " select gen_random_uuid(), id, organization_id, 'comment_added', '{\"comment\": 1}' from tasks"
        )
        orgo.execute("update person_profiles set full_name = 'Jane', confidentiality_level = 'sensitive'")
    load(orgo, write_csv(tmp_path / "rest.csv", WHOLE[2:4]))
    assert one(orgo, "select count(*) from task_events where event_type = 'comment_added'") == 1
    assert rows(orgo, "select full_name, confidentiality_level::text from person_profiles") == [("Jane", "sensitive")]
    assert task(orgo, "status::text") == ("COMPLETED",)


def test_an_import_with_a_lost_connection_writes_nothing(orgo: Database, database: str, tmp_path: Path) -> None:
    def cut(step: str, share: float) -> None:
        if (step, share) == (EVENTS, 1):
            orgo.execute("select pg_terminate_backend(%s)", (victim.info.backend_pid,))
            orgo.commit()

    log, report = write_csv(tmp_path / "log.csv", WHOLE), tmp_path / "rejected.csv"
    with psycopg.connect(database) as victim, pytest.raises(UnavailableError, match="nothing was written"):
        import_incidents(victim, log, report=report, progress=cut)
    assert set(counts(orgo).values()) == {0}
    assert list(tmp_path.glob("rejected*")) == []
    assert load(orgo, log).tables["task_events"] == TableCount(11, 0, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
import psycopg
from workshop.incidents import import_incidents

def kill(step, share):
    if step == "writing task events" and share == 1:
        os.kill(os.getpid(), signal.SIGKILL)

with psycopg.connect(sys.argv[1]) as connection:
    import_incidents(connection, Path(sys.argv[2]), report=Path(sys.argv[3]), progress=kill)
"""


def test_a_killed_import_writes_nothing_and_the_next_one_works(orgo: Database, database: str, tmp_path: Path) -> None:
    log, report = write_csv(tmp_path / "log.csv", WHOLE), tmp_path / "rejected.csv"
    killed = subprocess.run([sys.executable, "-c", KILLED, database, log, report], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not report.exists()
    assert set(counts(orgo).values()) == {0}
    assert load(orgo, log).tables["task_events"] == TableCount(11, 0, 0)
    assert report.exists()


def test_import_into_another_schema(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database) as connection:
        connection.execute('create schema "Orgo 3"')
        connection.execute('set search_path to "Orgo 3"')
        create_operational_schema(connection)
        connection.execute("reset search_path")
        connection.commit()
        load(connection, write_csv(tmp_path / "log.csv", WHOLE), schema="Orgo 3")
        assert one(connection, 'select count(*) from "Orgo 3".tasks') == 3
        assert one(connection, "show search_path") == '"$user", public'


def test_import_into_columns_with_drifted_types(orgo: Database, tmp_path: Path) -> None:
    with orgo.transaction():
        orgo.execute("alter table tasks alter status drop default, alter status type text, alter metadata type text")
        orgo.execute("alter table task_events alter new_value type text, alter event_type type text")
    load(orgo, write_csv(tmp_path / "part.csv", WHOLE[:3]))
    load(orgo, write_csv(tmp_path / "rest.csv", WHOLE[3:]))
    assert rows(orgo, "select status from tasks order by title") == [("COMPLETED",), ("COMPLETED",), ("PENDING",)]
    before = versions(orgo)
    load(orgo, write_csv(tmp_path / "whole.csv", WHOLE))
    assert versions(orgo) == before


def test_the_command_prints_the_row_counts(orgo: Database, database: str, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", [*WHOLE, FIRST | {"incident_state": "?"}, WHOLE[0]])
    report = tmp_path / "not read.csv"
    done = CliRunner().invoke(
        load_incidents,
        [str(log), "--report", str(report)],
        env={"INSIGHTS_OPERATIONAL_URL": database},
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0] == ["table", "loaded", "merged", "rejected"]
    assert table[1:9] == [
        ["organizations", "1", "0", "0"],
        ["organization_profiles", "1", "0", "0"],
        ["user_accounts", "2", "0", "0"],
        ["person_profiles", "2", "0", "0"],
        ["roles", "2", "0", "0"],
        ["cases", "1", "0", "0"],
        ["tasks", "3", "0", "0"],
        ["task_events", "11", "1", "1"],
    ]
    assert "13 rows of the file: 11 loaded, 1 merged, 1 rejected" in done.stdout
    assert str(report) in done.stdout
    assert len(report_rows(report)) == 1


def test_the_command_reports_an_unreadable_file(database: str, tmp_path: Path) -> None:
    empty_file = tmp_path / "log.csv"
    empty_file.touch()
    done = CliRunner().invoke(load_incidents, [str(empty_file), "--database-url", database])
    assert isinstance(done.exception, InsightsError)
    assert "log.csv is empty" in str(done.exception)
