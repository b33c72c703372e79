"""The order of day and month: the dates of a file decide it, or the import stops before it writes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.incidents.incident_database import Database, counts, events, load, operational_database, task
from support.incidents.incident_files import Row, history, report_rows, write_csv

from workshop.cli import commands
from workshop.incidents.errors import IncidentFileError

# All of 3 and 4 April, or of 4 March and 4 April: nothing decides.
EITHER = history(
    {"incident_state": "Active", "sys_updated_at": "4/3/2016 00:10"},
    {"incident_state": "Closed", "sys_updated_at": "4/4/2016 00:10", "closed_at": "4/4/2016 00:10"},
)
EITHER = [row | {"opened_at": "4/3/2016 00:05"} for row in EITHER]
EITHER[0]["sys_updated_at"] = "4/3/2016 00:08"


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


def _refused(orgo: Database, log: Path) -> str:
    with pytest.raises(IncidentFileError) as refused:
        load(orgo, log)
    assert set(counts(orgo).values()) == {0}
    return str(refused.value)


def test_dates_that_decide_nothing_stop_the_import(orgo: Database, tmp_path: Path) -> None:
    said = _refused(orgo, write_csv(tmp_path / "log.csv", EITHER))
    assert "log.csv, line 2, opened_at 4/3/2016 00:05: the day and the month cannot be told apart" in said
    assert "--date-format day-first or month-first" in said


def test_dates_of_both_kinds_stop_the_import(orgo: Database, tmp_path: Path) -> None:
    rows = [*EITHER, EITHER[2] | {"sys_mod_count": "3", "sys_updated_at": "13/4/2016 00:10"}]
    rows += [EITHER[2] | {"sys_mod_count": "4", "sys_updated_at": "4/14/2016 00:10"}]
    said = _refused(orgo, write_csv(tmp_path / "log.csv", rows))
    assert "line 5, sys_updated_at 13/4/2016 00:10 is day first, line 6, sys_updated_at 4/14/2016 00:10 is mo" in said
    # The option decides, and rows of the other kind are rejected with their lines.
    load(orgo, tmp_path / "log.csv", dates="month-first")
    (rejected,) = report_rows(tmp_path / "rejected.csv")
    assert (rejected["line"], rejected["reason"]) == ("5", "unparsable sys_updated_at")
    assert rejected["what_would_be_right"] == "a time of day as m/d/yyyy HH:MM, month first, UTC"


@pytest.mark.parametrize(
    ("last", "opened", "updated"),
    [("13/4/2016 00:10", "2016-03-04 00:05", "2016-04-13"), ("4/13/2016 00:10", "2016-04-03 00:05", "2016-04-13")],
)
def test_one_date_decides_for_all(orgo: Database, tmp_path: Path, last: str, opened: str, updated: str) -> None:
    changed: Row = EITHER[2] | {"sys_mod_count": "3", "sys_updated_at": last}
    result = load(orgo, write_csv(tmp_path / "log.csv", [*EITHER, changed]))
    assert result.tables["task_events"].rejected == 0
    assert task(orgo, "(created_at at time zone 'UTC')::timestamp(0)::text") == (f"{opened}:00",)
    assert events(orgo, "(e.created_at at time zone 'UTC')::date::text")[-1] == (updated,)


def test_dates_that_are_the_same_in_both_orders_need_no_decision(orgo: Database, tmp_path: Path) -> None:
    same = [row | dict.fromkeys(("opened_at", "sys_updated_at"), "4/4/2016 00:10") for row in EITHER]
    assert load(orgo, write_csv(tmp_path / "log.csv", same)).tables["task_events"].rejected == 0


def test_the_command_takes_the_format(orgo: Database, tmp_path: Path, database: str) -> None:
    log = write_csv(tmp_path / "log.csv", EITHER)
    command = ["load-incidents", str(log), "--database-url", database, "--report", str(tmp_path / "report.csv")]
    refused = CliRunner().invoke(commands, command)
    assert isinstance(refused.exception, IncidentFileError)
    done = CliRunner().invoke(commands, [*command, "--date-format", "month-first"])
    assert done.exit_code == 0, done.output
    assert re.search(r"3 rows of the file: 3 loaded", done.output)
    assert task(orgo, "(created_at at time zone 'UTC')::date::text") == ("2016-04-03",)
