"""Test the star schema built from the published incident log against the csv file."""

from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from support.incidents.incident_database import imported
from support.incidents.incident_files import Row
from support.incidents.incident_real_log import PATH, STATUS, RealLog, moment
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.demo_variables import INCIDENTS_AS_OF
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
def incidents(postgres: LocalPostgres, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Import the log and build the warehouse as of the day after its last event."""
    rejected = tmp_path_factory.mktemp("import") / "rejected.csv"
    warehouse = imported(Warehouse("incident_warehouse", postgres, settings), PATH, rejected)
    result = warehouse.build(as_of=INCIDENTS_AS_OF)
    assert result.succeeded, result.output
    return warehouse


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


def test_opened_tasks_per_month(incidents: Warehouse) -> None:
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


def first_response(history: list[Row]) -> float | None:
    """Return the seconds until the first later row that leaves the state New or changes group or assignee."""
    opened = moment(history[0]["opened_at"])
    for before, row in pairwise(history):
        was, now = STATUS[before["incident_state"]], STATUS[row["incident_state"]]
        is_reassigned = was == now and any(
            before[column] != row[column] for column in ("assignment_group", "assigned_to")
        )
        responds = (was == "PENDING" and now != "PENDING") or is_reassigned
        if responds and moment(row["sys_updated_at"]) > opened:
            return (moment(row["sys_updated_at"]) - opened).total_seconds()
    return None


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


def test_an_earlier_as_of_counts_only_earlier_events(incidents: Warehouse, log: RealLog) -> None:
    early = Warehouse.copy_of(incidents.name, "incident_warehouse_early", incidents.postgres, incidents.settings)
    early.execute(
        "drop schema insights cascade; drop schema insights_staging cascade; drop schema insights_ops cascade;"
    )
    with connect(early.admin_url) as connection:
        initialize(connection, early.settings)
    assert early.build(command="seed").succeeded  # `dbt run` builds no seeds
    result = early.build("--select", "+fact_tasks", as_of=date(2016, 4, 1), command="run")
    assert result.succeeded, result.output
    before = moment("1/4/2016 00:00")
    known = {n: h for n, h in log.histories.items() if moment(h[0]["opened_at"]) < before}
    assert early.value("select count(*) from insights.fact_tasks") == len(known)
    expected = {n: sum(moment(row["sys_updated_at"]) < before for row in h) for n, h in known.items()}
    assert by_number(early, "event_count") == expected
