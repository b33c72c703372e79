"""The published incident log, imported once: its rows, its star schema, its reviews, counted without the importer."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from support.incidents.incident_database import Database, counts, load, operational_database, rows, versions, work
from support.incidents.incident_files import report_rows, write_csv
from support.incidents.incident_real_log import PATH, STATUS, RealLog, first_response, moment
from support.operational_rows import read_operational
from support.pattern_rows import differences, stored_patterns
from support.reviews_by_hand import CADENCES, expected_patterns, read_rules, review_date
from support.warehouse import NO_TESTS, Warehouse

from orchestration.config.files import PROJECT, Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.demo_variables import INCIDENTS_AS_OF
from workshop.incidents import ImportResult
from workshop.incidents.merge import TableCount
from workshop.services import LocalPostgres

pytestmark = [
    pytest.mark.services,
    pytest.mark.incident_log,
    pytest.mark.skipif(
        not PATH.exists(), reason="needs the published incident log; set INSIGHTS_INCIDENT_LOG to its path"
    ),
]


@pytest.fixture(scope="module")
def log() -> RealLog:
    return RealLog(PATH)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("incident_log") / "rejected.csv"


@pytest.fixture(scope="module")
def result(postgres: LocalPostgres, report: Path) -> ImportResult:
    """Import the log into a database of which others are copies, and in which nothing else is written."""
    postgres.create_database("incident_log")
    with operational_database(postgres.url("incident_log", "postgres")) as connection:
        return load(connection, PATH, report)


@pytest.fixture
def orgo(postgres: LocalPostgres, result: ImportResult) -> Iterator[Database]:
    """Yield a session of the database with the imported log."""
    with psycopg.connect(postgres.url("incident_log", "postgres")) as connection:
        yield connection


def _prepared(name: str, postgres: LocalPostgres, settings: Settings) -> Warehouse:
    """Return a copy of the database with the imported log, prepared for a first build."""
    warehouse = Warehouse.copy_of("incident_log", name, postgres, settings)
    with connect(warehouse.admin_url) as connection:
        initialize(connection, settings)
    return warehouse


@pytest.fixture(scope="module")
def incidents(postgres: LocalPostgres, settings: Settings, result: ImportResult) -> Warehouse:
    """Return the warehouse as of the day after the log's last event; all data tests have passed."""
    warehouse = _prepared("incident_warehouse", postgres, settings)
    built = warehouse.build(as_of=INCIDENTS_AS_OF)
    assert built.succeeded, built.output
    return warehouse


@pytest.fixture(scope="module")
def early(postgres: LocalPostgres, settings: Settings, result: ImportResult) -> Warehouse:
    """Return the facts of tasks as of 1 April 2016, built by `dbt run`, which builds no seeds."""
    warehouse = _prepared("incident_warehouse_early", postgres, settings)
    assert warehouse.build(command="seed").succeeded
    built = warehouse.build("--select", "+fact_tasks", as_of=date(2016, 4, 1), command="run")
    assert built.succeeded, built.output
    return warehouse


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


def by_number(warehouse: Warehouse, column: str) -> dict[str, object]:
    """Return one column of fact_tasks by incident number."""
    return dict(
        warehouse.rows(
            f"select tasks.metadata ->> 'number', facts.{column}"  # noqa: S608 - a literal of this file
            " from insights.fact_tasks as facts inner join public.tasks on facts.task_id = tasks.id"
        )
    )


def test_every_incident_is_one_task(incidents: Warehouse, log: RealLog) -> None:
    assert incidents.value("select count(*) from insights.fact_tasks") == 24_918
    assert incidents.value("select count(*) from insights.dim_tasks") == 24_918
    assert by_number(incidents, "current_status") == dict.fromkeys(log.histories, "COMPLETED")


def test_tasks_of_the_facts_per_month(incidents: Warehouse) -> None:
    months = dict(
        incidents.rows("select to_char(created_date_key, 'YYYY-MM'), count(*) from insights.fact_tasks group by 1")
    )
    assert (months["2016-03"], months["2016-04"], months["2016-05"]) == (8_995, 7_934, 7_508)


def test_closing_dates_match_the_file(incidents: Warehouse, log: RealLog) -> None:
    expected = {number: moment(history[-1]["closed_at"]).date() for number, history in log.histories.items()}
    assert by_number(incidents, "closed_date_key") == expected


def test_completion_times_match_the_file(incidents: Warehouse, log: RealLog) -> None:
    expected = {
        number: (moment(history[-1]["closed_at"]) - moment(history[-1]["opened_at"])).total_seconds()
        for number, history in log.histories.items()
    }
    assert by_number(incidents, "time_to_completion_seconds") == expected


def test_first_response_times_match_the_file(incidents: Warehouse, log: RealLog) -> None:
    expected = {number: first_response(history) for number, history in log.histories.items()}
    assert by_number(incidents, "time_to_first_response_seconds") == expected


def test_every_event_is_counted_or_rejected(incidents: Warehouse, log: RealLog) -> None:
    unknown_state = sum(row["incident_state"] not in STATUS for row in log.rows)
    assert incidents.value("select sum(event_count) from insights.fact_tasks") + unknown_state == 141_712
    assert by_number(incidents, "event_count") == {number: len(history) for number, history in log.histories.items()}
    assert incidents.value("select count(*) from insights_ops.rejects") == 0


def test_cases_are_the_reopened_and_reassigned_incidents(incidents: Warehouse, log: RealLog) -> None:
    opened = Counter(moment(log.histories[number][0]["opened_at"]).date() for number in log.cases)
    found = incidents.rows("select opened_date_key, count(*) from insights.fact_cases group by 1")
    assert dict(found) == opened
    assert incidents.value("select count(*) from insights.fact_cases where linked_task_count <> 1") == 0


def test_an_earlier_as_of_counts_only_earlier_events(early: Warehouse, log: RealLog) -> None:
    before = moment("1/4/2016 00:00")
    known = {n: h for n, h in log.histories.items() if moment(h[0]["opened_at"]) < before}
    assert early.value("select count(*) from insights.fact_tasks") == len(known)
    expected = {n: sum(moment(row["sys_updated_at"]) < before for row in h) for n, h in known.items()}
    assert by_number(early, "event_count") == expected


def test_the_reviews_of_the_log_agree(postgres: LocalPostgres, settings: Settings, early: Warehouse) -> None:
    """The reviews of 1 June against a plain Python implementation of the same rules, on the same tables."""
    as_of = date(2016, 6, 1)
    later = Warehouse.copy_of(early.name, "incident_patterns", postgres, settings)
    built = later.build("--select", "+path:models/marts/patterns", *NO_TESTS, as_of=as_of)
    assert built.succeeded, built.output
    with connect(later.admin_url) as connection:
        operational = read_operational(connection)
    found = {}
    for cadence in CADENCES:
        found[cadence] = stored_patterns(later, cadence, review_date(as_of, cadence))
        expected = expected_patterns(operational, read_rules(PROJECT), as_of, cadence, held_since=date(2016, 1, 1))
        assert not differences(found[cadence], expected)
    kinds = {pattern.kind for pattern in found["monthly"]}
    assert kinds == {"incident_frequency", "high_risk_indicator", "cross_department_trend"}
    assert found["weekly"]
    assert not found["yearly"], "the log begins after 1 January"
