"""A load stops when the source has lost many rows, or when its day puts most of them out of retention (D142, D143)."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import date

import pytest
from support.command import Fails
from support.contents import contents, difference, incremental, rebuilt, reports, reviews, row_of
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse

from orchestration import dbt
from orchestration.cli import main
from orchestration.config.files import PROJECT
from orchestration.errors import RefusedError
from orchestration.retention.plan import load_plan
from orchestration.retention.purge import purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.guard import Confirmed, check_source_rows
from orchestration.warehouse.status import read_status
from workshop.sample.load import SAMPLE_AS_OF

pytest_plugins = ["support.command"]
pytestmark = pytest.mark.services

EMPTIED = "truncate learning_group_memberships, wellbeing_checkins"  # 903 and 2,008 rows of the sample
# Two years after it, nothing of the sample is left in retention.
FAR_AWAY = date(2028, 6, 1)
LOADS = "select count(*) from insights_ops.load_log"
SPILLED = "select temp_bytes from pg_stat_database where datname = current_database()"
SPILLED_AT_MOST = 100_000_000  # bytes of temporary files, several times what a load of the sample needs
LONG_HISTORY = """
    insert into insights_ops.load_log
    (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
    values ('fact_tasks', '{day}', date '{day}' + 730, '-infinity', now(), '{day}', 'x', 'dev')
"""
ORGANIZATIONS_LEAVE = """
    set local session_replication_role = replica;
    delete from organizations where ctid <> all(array(select ctid from organizations limit {left}))
"""
FACTS = "select count(*) from insights.fact_tasks"


def check(warehouse: Warehouse, as_of: date = SAMPLE_AS_OF, *, vanished: bool = False, cutoff: bool = False) -> None:
    with connect(warehouse.etl_url, autocommit=True) as connection:
        confirmed = Confirmed(vanished=vanished, cutoff=cutoff)
        check_source_rows(Database(warehouse.settings, connection), as_of, confirmed)


def delete(warehouse: Warehouse, table: str, rows: int) -> None:
    warehouse.execute(f"delete from {table} where ctid = any(array(select ctid from {table} limit {rows}))")  # noqa: S608


def test_an_emptied_table_stops_loads_until_it_is_confirmed(prepared: Warehouse) -> None:
    check(prepared)
    prepared.execute(EMPTIED)
    for _ in range(2):  # a refusal stores nothing
        with pytest.raises(RefusedError) as refusal:
            check(prepared)
        said = str(refusal.value)
        assert "wellbeing_checkins (before: 2008, now: 0), learning_group_memberships (before: 903, now: 0)" in said
        assert "--accept-vanished" in said and "accept_vanished of the DAG" in said
    check(prepared, vanished=True)
    check(prepared)


def test_a_share_of_a_table_may_vanish_and_one_row_more_stops_the_load(prepared: Warehouse) -> None:
    check(prepared)
    rows = prepared.value("select count(*) from task_comments")
    delete(prepared, "task_comments", rows // 5)
    check(prepared)
    left = rows - rows // 5
    delete(prepared, "task_comments", left // 5 + 1)
    with pytest.raises(RefusedError, match=rf"task_comments \(before: {left}, now: {left - left // 5 - 1}\)\. No"):
        check(prepared)


def test_few_vanished_rows_stop_no_load(prepared: Warehouse) -> None:
    prepared.execute("delete from task_comments where ctid <> all(array(select ctid from task_comments limit 20))")
    check(prepared)
    delete(prepared, "task_comments", 19)
    check(prepared)
    prepared.execute("delete from task_comments")  # its only row
    check(prepared)


@pytest.mark.parametrize("rows", [2, 19])
def test_a_small_table_that_is_emptied_stops_the_load(prepared: Warehouse, rows: int) -> None:
    prepared.execute(
        f"delete from task_comments where ctid <> all(array(select ctid from task_comments limit {rows}))"  # noqa: S608
    )
    check(prepared)
    prepared.execute("delete from task_comments")
    with pytest.raises(RefusedError, match=rf"task_comments \(before: {rows}, now: 0\)"):
        check(prepared)


# Of the four organizations of the sample; one that leaves is an ordinary deletion.
@pytest.mark.parametrize(("left", "stops"), [(3, False), (2, True), (0, True)])
def test_few_organizations_that_vanish_stop_the_load(prepared: Warehouse, left: int, stops: bool) -> None:
    check(prepared)
    # As a restore does: without foreign keys.
    prepared.execute(ORGANIZATIONS_LEAVE.format(left=left))
    with (
        pytest.raises(RefusedError, match=rf"organizations \(before: 4, now: {left}\)\. No relation was changed")
        if stops
        else nullcontext()
    ):
        check(prepared)


def test_a_build_that_is_refused_writes_nothing_and_a_confirmed_one_builds(built: Warehouse) -> None:
    check(built)
    built.execute(EMPTIED)
    loads = built.value(LOADS)
    variables = dbt.as_of_variable(NEXT_DAY)
    selected = ["--select", "dim_dates", "--quiet"]
    for command in (dbt.build, dbt.build):
        with pytest.raises(RefusedError, match="have vanished from"):
            command(built.settings, selected, url=built.etl_url, variables=variables)
    assert built.value(LOADS) == loads
    confirmed = Confirmed(vanished=True)
    done = dbt.build(built.settings, selected, url=built.etl_url, variables=variables, confirmed=confirmed)
    assert (done.exit_code, built.value(LOADS)) == (0, loads + 1)


@pytest.mark.parametrize("command", [["build"], ["reconcile"], ["rebuild", "--yes"]])
def test_every_command_that_loads_checks_the_source(built: Warehouse, command: list[str], fails: Fails) -> None:
    check(built)
    built.execute(EMPTIED)
    loads = built.value(LOADS)
    err = fails(*command, "--as-of", str(NEXT_DAY), INSIGHTS_WAREHOUSE_URL=built.etl_url)
    assert err.startswith("Error: Since the last load, more than 20% of the rows have vanished")
    assert built.value(LOADS) == loads


def test_a_purge_leaves_out_what_the_missing_rows_may_need(built: Warehouse) -> None:
    check(built)
    built.execute(EMPTIED)
    with connect(built.etl_url, autocommit=True) as connection:
        report = purge(Database(built.settings, connection), load_plan(built.settings), NEXT_DAY)
    assert any(
        warning.startswith("dim_persons is not purged, because int_person_needs reads rows that may be missing")
        and "learning_group_memberships (before: 903, now: 0)" in warning
        for warning in report.warnings
    )
    purged = {line.relation for line in report.relations}
    assert "fact_tasks" in purged and "dim_persons" not in purged


def test_a_day_that_puts_most_rows_out_of_retention_is_confirmed(prepared: Warehouse) -> None:
    dated = "select count(*) from {} where created_at < '2026-06-02'"
    rows = sum(prepared.value(dated.format(table)) for table in ("tasks", "cases", "wellbeing_checkins"))
    with pytest.raises(RefusedError, match=f"would put {rows} of {rows} rows") as refusal:
        check(prepared, FAR_AWAY)
    assert "from before 2026-06-02" in str(refusal.value) and "--accept-cutoff" in str(refusal.value)
    etl = prepared.settings.insights.etl.model_copy(update={"max_share_behind_cutoff": 1.0})
    insights = prepared.settings.insights.model_copy(update={"etl": etl})
    check(replace(prepared, settings=replace(prepared.settings, insights=insights)), FAR_AWAY)
    check(prepared, FAR_AWAY, cutoff=True)
    check(prepared)


def test_rows_that_are_out_of_retention_already_ask_for_nothing(prepared: Warehouse) -> None:
    """A source with a long history: the cutoff in force leaves one row in ten, and each day a few more leave."""
    day = prepared.value("select (percentile_disc(0.9) within group (order by created_at))::date from tasks")
    prepared.execute(LONG_HISTORY.format(day=day))
    check(prepared, prepared.value("select %s::date + 731", day))


def test_a_load_with_the_wrong_day_has_a_way_back(
    prepared: Warehouse, built: Warehouse, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = prepared.value("select (now() at time zone 'UTC')::date")
    # A retention of 30 days stands for a day two years later, which the database's clock would not allow.
    short = dict.fromkeys(("dev", "staging", "prod", "offline"), 30)
    result = prepared.build(*NO_TESTS, as_of=wrong, raw_event_retention_days=short)
    assert result.succeeded, result.output
    assert prepared.value(FACTS) == 0
    with connect(prepared.etl_url, autocommit=True) as connection:
        behind = read_status(Database(prepared.settings, connection), {}).behind
    tasks = prepared.value("select count(*) from tasks")
    assert ("tasks", tasks, tasks) in behind

    page = (PROJECT / "docs/operations.md").read_text("utf-8").split("## A load with the wrong day\n")[1]
    lines = [line.strip() for line in page.split("\n## ")[0].splitlines() if line.startswith("    ")]
    deletes = [line for line in lines if line.startswith("delete from")]
    commands = [line.split()[1:] for line in lines if line.startswith("insights ")]
    assert (len(deletes), [command[0] for command in commands]) == (5, ["reconcile", "build"])
    prepared.execute("\n".join(deletes))
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    for command in commands:
        spilled = prepared.value(SPILLED)
        # `reconcile` runs all data tests, over all rows.
        without_tests = NO_TESTS if command[0] == "build" else ()
        monkeypatch.setattr(sys, "argv", ["insights", *command, *without_tests])
        with suppress(SystemExit):
            main()
        written = capfd.readouterr()
        assert "Error" not in written.err and "Completed with" not in written.out, written
    # Reports without a load in the log count days with tasks, not all since year 1 for each profile: 900 MB.
    assert prepared.value(SPILLED) - spilled < SPILLED_AT_MOST
    for relation in (*incremental(), *reviews()):
        found = difference(built, prepared, relation)
        assert not (found.only_first or found.only_second or found.unequal), (relation, found)
    for relation in (*rebuilt(), *reports()):
        key = row_of(relation)
        assert contents(built, relation, key) == contents(prepared, relation, key), relation


def test_status_says_why_the_source_cannot_be_read_and_shows_the_rest(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setattr(sys, "argv", ["insights", "status"])
    cases = {
        "alter table tasks enable row level security": "affected by row-level security policy for table",
        "alter table tasks rename to moved": 'relation "public.tasks" does not exist',
    }
    for statement, says in cases.items():
        built.execute(statement)
        with suppress(SystemExit):
            main()
        written = capfd.readouterr()
        assert not written.err
        assert "Marts in dev" in written.out and "fact_tasks" in written.out
        said = next(line for line in written.out.splitlines() if line.startswith("source cannot be read: "))
        assert says in said
        assert "Rejected (insights_ops.rejects)" in written.out
