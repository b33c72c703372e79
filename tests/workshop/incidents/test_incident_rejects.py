"""Test rejected rows, with their reasons in the report, and refused databases."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.incidents.incident_database import Database, counts, events, load, operational_database, task
from support.incidents.incident_files import Row, history, incident, report_rows, write_csv, write_zip

from orchestration.errors import BadInputError, ConflictError, NotPreparedError, RefusedError
from workshop.incidents import import_incidents
from workshop.incidents.merge import TableCount

MOMENT = "a time of day as d/m/yyyy HH:MM, day first, UTC"
COUNT = "a whole number from 0 to 999999999"
STATE = "New, Active, Awaiting <something>, Resolved or Closed"
NUMBER = "the number of the incident, such as INC0000045"

Rejection = tuple[str, str, str]  # reason, value, what_would_be_right


def report_row(line: int, rejection: Rejection, file: str = "log.csv") -> Row:
    """Return the expected row of the report."""
    reason, value, right = rejection
    return {"file": file, "line": str(line), "reason": reason, "value": value, "what_would_be_right": right}


GOOD = history({"incident_state": "Active"}, {"incident_state": "Closed", "closed_at": "3/3/2016 00:10"})


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


@pytest.mark.parametrize(
    ("broken", "rejection"),
    [
        ({"number": "?"}, ("missing number", "?", NUMBER)),
        ({"number": " "}, ("missing number", "", NUMBER)),
        ({"sys_mod_count": "?"}, ("missing sys_mod_count", "?", COUNT)),
        ({"sys_mod_count": "1.5"}, ("unparsable sys_mod_count", "1.5", COUNT)),
        ({"sys_mod_count": "-1"}, ("unparsable sys_mod_count", "-1", COUNT)),
        ({"sys_mod_count": "1234567890"}, ("unparsable sys_mod_count", "1234567890", COUNT)),
        ({"sys_updated_at": ""}, ("missing sys_updated_at", "", MOMENT)),
        ({"sys_updated_at": "2016-03-02 00:10"}, ("unparsable sys_updated_at", "2016-03-02 00:10", MOMENT)),
        ({"sys_updated_at": "3/13/2016 00:10"}, ("unparsable sys_updated_at", "3/13/2016 00:10", MOMENT)),
        ({"opened_at": "?"}, ("missing opened_at", "?", MOMENT)),
        ({"opened_at": "29/2/2017 00:10"}, ("unparsable opened_at", "29/2/2017 00:10", MOMENT)),
        ({"opened_at": "31/4/2016 00:10"}, ("unparsable opened_at", "31/4/2016 00:10", MOMENT)),
        ({"opened_at": "0/4/2016 00:10"}, ("unparsable opened_at", "0/4/2016 00:10", MOMENT)),
        ({"opened_at": "1/4/2016 24:00"}, ("unparsable opened_at", "1/4/2016 24:00", MOMENT)),
        ({"opened_at": "1/4/2016 10:00:00"}, ("unparsable opened_at", "1/4/2016 10:00:00", MOMENT)),
        ({"incident_state": "-100"}, ("unknown incident_state", "-100", STATE)),
        ({"incident_state": "Awaiting "}, ("unknown incident_state", "Awaiting", STATE)),
        ({"incident_state": "?"}, ("missing incident_state", "?", STATE)),
        ({"closed_at": "tomorrow"}, ("unparsable closed_at", "tomorrow", MOMENT)),
        ({"resolved_at": "1/1/16 10:00"}, ("unparsable resolved_at", "1/1/16 10:00", MOMENT)),
        ({"sys_created_at": "1.1.2016 10:00"}, ("unparsable sys_created_at", "1.1.2016 10:00", MOMENT)),
        ({"reopen_count": "one"}, ("unparsable reopen_count", "one", COUNT)),
        ({"reassignment_count": "1 "}, None),
        ({"reassignment_count": "?"}, None),
    ],
)
def test_an_unreadable_row_is_rejected(
    orgo: Database, tmp_path: Path, broken: Row, rejection: Rejection | None
) -> None:
    first, second, last = GOOD
    result = load(orgo, write_csv(tmp_path / "log.csv", [first, second | broken, last]), dates="day-first")
    rejected = [] if rejection is None else [report_row(3, rejection)]
    assert report_rows(tmp_path / "rejected.csv") == rejected
    assert (result.rows, result.tables["task_events"]) == (3, TableCount(3 - len(rejected), 0, 0, 0, len(rejected)))
    assert task(orgo, "status::text") == ("COMPLETED",)


def test_a_rejected_row_does_not_affect_the_rest_of_its_incident(orgo: Database, tmp_path: Path) -> None:
    first, second, last = GOOD
    load(orgo, write_csv(tmp_path / "log.csv", [first, second, last | {"incident_state": "-100"}]))
    assert task(orgo, "status::text, closed_at") == ("IN_PROGRESS", None)
    assert [kind for (kind,) in events(orgo, "event_type::text")] == ["created", "status_changed"]


@pytest.mark.parametrize(
    ("written", "reason", "value"),
    [
        ("INC0000001,Active", "2 columns", "INC0000001,Active"),
        ("a" + ",b" * 36, "37 columns", "a" + ",b" * 36),
        ("a" + ",b" * 300, "301 columns", "a" + ",b" * 99 + ","),
        ('INC0000001,"Act"ive,?', "broken quoting: ',' expected after '\"'", ""),
        ("INC00\x0000001" + ",?" * 35, "NUL character in the row", "INC0000001" + ",?" * 35),
    ],
)
def test_a_row_with_the_wrong_columns_is_rejected(
    orgo: Database, tmp_path: Path, written: str, reason: str, value: str
) -> None:
    log = write_csv(tmp_path / "log.csv", GOOD)
    lines = log.read_text(encoding="utf-8").splitlines()
    log.write_text("\n".join([*lines[:2], written, *lines[2:]]) + "\n", encoding="utf-8")
    result = load(orgo, log)
    expected = report_row(3, (reason, value, "36 columns separated by commas, as in the header"))
    assert report_rows(tmp_path / "rejected.csv") == [expected]
    assert (result.rows, result.tables["task_events"]) == (4, TableCount(3, 0, 0, 0, 1))


def test_a_repeated_row_counts_once_and_a_contradicting_one_is_rejected(orgo: Database, tmp_path: Path) -> None:
    first, second, last = GOOD
    padded = second | {"sys_updated_at": "02/03/2016 0:10", "location": " Location 1"}
    other = second | {"location": "Location 2"}
    log = write_csv(tmp_path / "log.csv", [first, second, padded, other, last, second])
    result = load(orgo, write_zip(tmp_path / "log.zip", log))
    assert result.tables["task_events"] == TableCount(3, 0, 0, repeated=2, rejected=1)
    right = "one row for each number, sys_mod_count and sys_updated_at"
    reason = "repeats line 3 with different content"
    expected = report_row(5, (reason, "INC0000001, 1, 2/3/2016 00:10", right), file="log.zip/log.csv")
    assert report_rows(tmp_path / "rejected.csv") == [expected]
    assert task(orgo, "metadata ->> 'location'") == ("Location 1",)


def test_an_incident_with_only_rejected_rows_is_not_imported(orgo: Database, tmp_path: Path) -> None:
    result = load(orgo, write_csv(tmp_path / "log.csv", incident("INC0000001", incident_state="-100")))
    assert set(counts(orgo).values()) == {0}
    assert result.tables["task_events"] == TableCount(0, 0, 0, 0, 1)


def test_a_database_without_orgo_tables_is_refused(database: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(database) as connection,
        pytest.raises(NotPreparedError, match="lacks the tables organizations, org"),
    ):
        load(connection, write_csv(tmp_path / "log.csv", GOOD))


def test_a_database_without_a_required_column_is_refused(orgo: Database, tmp_path: Path) -> None:
    with orgo.transaction():
        orgo.execute("alter table tasks drop column assignee_role")
    with pytest.raises(NotPreparedError, match="the table tasks lacks assignee_role"):
        load(orgo, write_csv(tmp_path / "log.csv", GOOD))
    assert set(counts(orgo).values()) == {0}


def test_a_user_without_write_privileges_is_refused(orgo: Database, database: str, tmp_path: Path) -> None:
    with orgo.transaction():
        orgo.execute("create role reader_of_incidents login")
        orgo.execute("grant select on all tables in schema public to reader_of_incidents")
    with (
        psycopg.connect(make_conninfo(database, user="reader_of_incidents")) as connection,
        pytest.raises(RefusedError, match="nothing was written: permission denied for table organizations"),
    ):
        load(connection, write_csv(tmp_path / "log.csv", GOOD))


def test_an_unwritable_report_stops_the_import(orgo: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be written: No such file or directory"):
        load(orgo, write_csv(tmp_path / "log.csv", GOOD), tmp_path / "absent" / "rejected.csv")
    assert set(counts(orgo).values()) == {0}


def test_a_connection_in_a_transaction_is_refused(orgo: Database, tmp_path: Path) -> None:
    orgo.execute("select 1")
    with pytest.raises(ConflictError, match="is in a transaction"):
        import_incidents(orgo, write_csv(tmp_path / "log.csv", GOOD), report=tmp_path / "rejected.csv")
