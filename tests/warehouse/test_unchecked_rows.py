"""A data test looks at what was written since it last passed; a recount runs it over all rows (decision D173)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.policy import nodes
from support.warehouse import Warehouse, disposable_copy

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import BusyError, FailedError
from orchestration.reconcile import recount
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

CLOSED = "assert_closed_means_closed"
# Each breaks one row that the sample has, and the test that must find it.
MISTAKES = {
    CLOSED: ("fact_tasks", "time_to_completion_seconds = null", "closed_date_key > created_date_key"),
    "assert_facts_match_dimensions": ("dim_cases", "status = 'archived'", "status = 'resolved'"),
    "assert_gone_persons_are_nameless": ("dim_persons", "is_gone = true", "not is_gone"),
    "known_tokens_in_dim_tasks": ("dim_tasks", "category = 'question'", "true"),
    "references_of_fact_tasks": (
        "fact_tasks",
        "created_date_key = '1969-01-01'",
        "closed_date_key is null and comment_count = 0",
    ),
    # A person of another organization.
    "references_of_fact_wellbeing_checkins": (
        "fact_wellbeing_checkins as checkins",
        "person_id = (select p.person_id from insights.dim_persons as p"
        " where p.organization_id <> checkins.organization_id limit 1)",
        "true",
    ),
}


def results(warehouse: Warehouse, *tests: str) -> dict[str, str]:
    """Run data tests as a load does, and return the status of each."""
    warehouse.build("--select", *tests, command="test", recounts=False)
    names = ", ".join(f"'{name}'" for name in tests)
    return dict(warehouse.rows(f"select test_name, status from insights_ops.test_results where test_name in ({names})"))  # noqa: S608


def checked_through(warehouse: Warehouse) -> Any:
    return warehouse.value(f"select checked_through from insights_ops.test_results where test_name = '{CLOSED}'")  # noqa: S608


@pytest.fixture(scope="module")
def broken(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Any:
    """Yield a warehouse whose tests passed, after which one row of each mistake was broken without a load."""
    with disposable_copy(built_sample, "unchecked", postgres, settings) as warehouse:
        assert set(results(warehouse, *MISTAKES).values()) == {"pass"}
        for relation, change, condition in MISTAKES.values():
            warehouse.execute(
                f"update insights.{relation} set {change} where ctid = "  # noqa: S608
                f"(select ctid from insights.{relation.split()[0]} where {condition} order by 1 limit 1)"
            )
        yield warehouse


def test_the_tests_of_a_load_look_at_written_rows_only(broken: Warehouse) -> None:
    assert results(broken, *MISTAKES) == dict.fromkeys(MISTAKES, "pass")


def test_a_refused_recount_changes_nothing(broken: Warehouse, settings: Settings) -> None:
    before = broken.rows("select * from insights_ops.test_results order by test_name")
    assert checked_through(broken) is not None
    with broken.locked(), pytest.raises(BusyError, match="Another process is writing to this warehouse"):
        recount(settings, broken.etl_url, SAMPLE_AS_OF)
    assert broken.rows("select * from insights_ops.test_results order by test_name") == before


def test_a_recount_finds_them_and_each_load_after_it_too(broken: Warehouse, settings: Settings) -> None:
    with pytest.raises(FailedError) as raised:
        recount(settings, broken.etl_url, SAMPLE_AS_OF)
    # dbt leaves out the tests of models below one whose test failed; the next run of theirs looks at all rows again.
    found = [name for name in MISTAKES if name != "assert_gone_persons_are_nameless"]
    assert all(name in str(raised.value) for name in found)
    assert checked_through(broken) is None
    assert results(broken, *MISTAKES) == dict.fromkeys(MISTAKES, "fail")


def test_a_written_row_is_looked_at_until_its_test_passes(built: Warehouse) -> None:
    tests = [*MISTAKES]
    assert results(built, *tests) == dict.fromkeys(tests, "pass")
    seen = checked_through(built)
    assert seen == built.value("select max(load_log_id) from insights_ops.load_log")
    for relation, change, condition in MISTAKES.values():
        built.execute(
            f"update insights.{relation} set {change}, loaded_at = now() where ctid = "  # noqa: S608
            f"(select ctid from insights.{relation.split()[0]} where {condition} order by 1 limit 1)"
        )
    for _ in range(2):  # also in a run without a load before it
        assert results(built, *tests) == dict.fromkeys(tests, "fail")
    assert checked_through(built) == seen


def test_a_source_row_that_a_load_looked_at_is_looked_for(built: Warehouse) -> None:
    [test] = [name for name in all_tests() if name.startswith("rows_add_up_fact_tasks")]
    assert results(built, test) == {test: "pass"}
    lost = "select task_id from insights.fact_tasks order by task_id limit 3"
    built.execute(f"create table public.lost as {lost}; delete from insights.fact_tasks where task_id in ({lost})")  # noqa: S608
    assert results(built, test) == {test: "pass"}, "no load has looked at their source since"
    built.execute("update public.tasks set updated_at = '2026-01-01 12:00+00' where id in (select task_id from lost)")
    next_day = SAMPLE_AS_OF + timedelta(days=1)
    changes = ("int_task_statuses", "int_task_lifecycle")
    assert built.build("--select", *changes, "fact_tasks", command="run", as_of=next_day).succeeded
    built.execute("delete from insights.fact_tasks where task_id in (select task_id from public.lost)")
    assert results(built, test) == {test: "fail"}
    found = built.value(f"select failures from insights_ops.test_results where test_name = '{test}'")  # noqa: S608
    assert found == 3


def all_tests() -> list[str]:
    return [node["name"] for node in nodes("test")]


def test_a_plain_dbt_without_the_lock_passes_for_nobody_else(built: Warehouse, settings: Settings) -> None:
    run = dbt.run(settings, ["test", "--select", CLOSED, "--quiet"], url=built.etl_url, on_line=lambda _: None)
    assert run.exit_code == 0
    assert checked_through(built) is None
    found = built.rows("select status, recounted_at from insights_ops.test_results where test_name = %s", CLOSED)
    assert found == [("pass", None)]
