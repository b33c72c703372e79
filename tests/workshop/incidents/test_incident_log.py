"""Test the import of the published incident log against counts computed from the file without the importer."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.incidents.incident_database import Database, counts, load, operational_database, rows, versions, work
from support.incidents.incident_files import report_rows, write_csv
from support.incidents.incident_real_log import PATH, STATUS, RealLog, moment

from workshop.incidents import ImportResult
from workshop.incidents.merge import TableCount
from workshop.services import LocalPostgres

pytestmark = [
    pytest.mark.incident_log,
    pytest.mark.skipif(
        not PATH.exists(), reason="needs the published incident log; set INSIGHTS_INCIDENT_LOG to its path"
    ),
]


@pytest.fixture(scope="module")
def log() -> RealLog:
    return RealLog(PATH)


@pytest.fixture(scope="module")
def orgo(postgres: LocalPostgres) -> Iterator[Database]:
    postgres.create_database("incident_log")
    with operational_database(postgres.url("incident_log", "postgres")) as connection:
        yield connection


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("incident_log") / "rejected.csv"


@pytest.fixture(scope="module")
def result(orgo: Database, report: Path) -> ImportResult:
    return load(orgo, PATH, report)


@pytest.mark.usefixtures("result")
class TestFirstImport:
    def test_every_row_is_accounted_for(self, result: ImportResult, orgo: Database, report: Path) -> None:
        assert result.rows == 141_712
        assert result.tables["task_events"] == TableCount(loaded=141_707, updated=0, unchanged=0, rejected=5)
        assert counts(orgo)["task_events"] == 141_707
        assert Counter((row["reason"], row["value"]) for row in report_rows(report)) == {
            ("unknown incident_state", "-100"): 5
        }

    def test_rejected_lines_match_the_file(self, log: RealLog, report: Path) -> None:
        lines = [line for line, row in enumerate(log.rows, start=2) if row["incident_state"] == "-100"]
        assert [int(row["line"]) for row in report_rows(report)] == lines

    def test_one_task_per_incident_with_all_its_events(self, log: RealLog, orgo: Database) -> None:
        found = dict(
            rows(
                orgo,
                "select t.metadata ->> 'number', count(*)"
                " from task_events as e inner join tasks as t on t.id = e.task_id group by t.id",
            )
        )
        assert len(found) == counts(orgo)["tasks"] == 24_918
        assert found == {number: len(history) for number, history in log.histories.items()}

    def test_opened_tasks_per_month(self, orgo: Database) -> None:
        found = rows(orgo, "select to_char(created_at at time zone 'UTC', 'YYYY-MM'), count(*) from tasks group by 1")
        months = dict(found)
        assert (months["2016-03"], months["2016-04"], months["2016-05"]) == (8_995, 7_934, 7_508)

    def test_times_match_the_file(self, log: RealLog, orgo: Database) -> None:
        found = rows(orgo, "select metadata ->> 'number', created_at, closed_at, updated_at from tasks")
        assert {number: times for number, *times in found} == {
            number: [moment(last["opened_at"]), moment(last["closed_at"]), moment(last["closed_at"])]
            for number, (*_, last) in log.histories.items()
        }

    def test_final_values_match_the_last_row(self, log: RealLog, orgo: Database) -> None:
        columns = ("location", "category", "subcategory", "u_symptom", "closed_code", "resolved_by")
        found = rows(orgo, "select metadata, assignee_role, status::text from tasks")
        assert {
            task["number"]: [*(task.get(column.removeprefix("u_"), "?") for column in columns), group or "?", status]
            for task, group, status in found
        } == {
            number: [*(last[column] for column in (*columns, "assignment_group")), STATUS[last["incident_state"]]]
            for number, (*_, last) in log.histories.items()
        }

    def test_priority_and_severity(self, orgo: Database) -> None:
        # Counts of the last rows, as published with the log.
        found = dict(rows(orgo, "select priority::text, count(*) from tasks group by 1"))
        assert found == {"MEDIUM": 23_466, "LOW": 774, "HIGH": 408, "CRITICAL": 270}
        found = dict(rows(orgo, "select source::text, count(*) from tasks group by 1"))
        assert found == {"manual": 24_688 + 4, "api": 158 + 9, "email": 59}

    def test_event_types(self, log: RealLog, orgo: Database) -> None:
        found = rows(orgo, "select event_type::text, count(*) from task_events group by 1")
        assert dict(found) == log.event_types

    def test_cases(self, log: RealLog, orgo: Database) -> None:
        assert {number for (number,) in rows(orgo, "select source_reference from cases")} == log.cases
        linked = rows(orgo, "select metadata ->> 'number' from tasks where case_id is not null")
        assert {number for (number,) in linked} == log.cases

    def test_people(self, log: RealLog, orgo: Database) -> None:
        users = log.names("opened_by", "assigned_to", "resolved_by", "sys_updated_by")
        assert {name for (name,) in rows(orgo, "select display_name from user_accounts")} == users
        persons = {name for (name,) in rows(orgo, "select external_reference from person_profiles")}
        assert persons == log.names("caller_id")
        assert {code for (code,) in rows(orgo, "select code from roles")} == log.names("assignment_group")

    def test_emails_are_unique(self, orgo: Database) -> None:
        assert rows(orgo, "select email from user_accounts group by email having count(*) > 1") == []

    def test_a_second_import_changes_nothing(self, orgo: Database, report: Path) -> None:
        before = versions(orgo)
        again = load(orgo, PATH, report)
        assert again.tables["task_events"] == TableCount(0, 0, unchanged=141_707, rejected=5)
        assert all((count.loaded, count.updated) == (0, 0) for count in again.tables.values())
        assert versions(orgo) == before


def test_importing_an_early_snapshot_first_gives_the_same_result(
    log: RealLog, database: str, postgres: LocalPostgres, tmp_path: Path
) -> None:
    part = [row for row in log.rows if row["number"].endswith("77")]
    early = [row for row in part if moment(row["sys_updated_at"]) < moment("1/5/2016 00:00")]
    whole = write_csv(tmp_path / "whole.csv", part)
    postgres.create_database("incident_log_early")
    with (
        operational_database(database) as at_once,
        operational_database(postgres.url("incident_log_early", "postgres")) as in_two,
    ):
        load(at_once, whole)
        load(in_two, write_csv(tmp_path / "early.csv", early))
        assert load(in_two, whole).tables["tasks"].updated > 0
        assert work(in_two) == work(at_once)
        before = versions(in_two)
        load(in_two, tmp_path / "early.csv")
        assert versions(in_two) == before
