"""Rows that arrive late: the next load finds them (decision D140), and a reconciliation finds late changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from support import small_scenario
from support.contents import incremental, snapshots
from support.policy import nodes
from support.small_scenario import event_of_sample, uid
from support.warehouse import NO_TESTS, Warehouse, disposable_copy

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.reconcile import Written, reconcile
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# Four plain tasks of the sample in cases of their own; the load as of 2026-01-01 looks back to 2025-12-31 18:00.
CHOSEN = """
    select task_id, case_id from insights.dim_tasks
    where case_id is not null and quality_flags = '{}' and created_at between '2025-02-01' and '2025-10-01'
    order by task_id limit 4
"""
FACTS = """
    select tasks.escalation_count, cases.escalation_count
    from insights.fact_tasks as tasks inner join insights.fact_cases as cases on cases.case_id = %s
    where tasks.task_id = %s
"""


# A comment and a change of a row that bear a time long before the overlap.
LATE_CHANGES = """
    insert into task_comments (id, task_id, body, created_at, updated_at)
    values (gen_random_uuid(), '{commented}', 'SECRET-BODY', '2025-12-01 08:00+00', '2025-12-01 08:00+00');
    update tasks set assignee_role = 'changed late' where id = '{changed}';
"""
COMMENTS = """
    select comment_count - (select count(*) from task_comments where task_id = fact_tasks.task_id)
    from insights.fact_tasks where task_id = %s
"""


# What a reconciliation leaves to the next loads.
NOT_RECONCILED = (
    *("tag:daily_dimensions_sync", "tag:monthly_trend_report", "tag:weekly_pattern_review"),
    *("tag:yearly_systemic_review", "marts.reports", "int_daily_counts"),
)


@dataclass(frozen=True)
class Reconciled:
    """Two reconciliations of a warehouse with late rows: the function, then the command, which recounts."""

    warehouse: Warehouse
    # task and case: escalated in the overlap, at its very start, behind it; commented and changed behind it
    tasks: list[tuple[UUID, UUID]]
    before: list[tuple[int, int]]  # their escalations: of the task, of the case
    relations: list[list[str]]  # what the database held before and after the first reconciliation
    report: dict[str, Written]
    began: datetime  # the command, by the clock of the database
    command: Result
    status: Result


def _relations(warehouse: Warehouse) -> list[str]:
    query = (
        "select oid::regclass::text from pg_class where relnamespace::regnamespace::text like 'insights%' order by 1"
    )
    return [name for (name,) in warehouse.rows(query)]


@pytest.fixture(scope="module")
def reconciled(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Reconciled]:
    with (
        disposable_copy(built_sample, "late_rows", postgres, settings) as warehouse,
        pytest.MonkeyPatch.context() as patch,
    ):
        tasks = warehouse.rows(CHOSEN)
        before = [warehouse.rows(FACTS, case, task)[0] for task, case in tasks]
        moments = ("2025-12-31 23:59:59", "2025-12-31 18:00", "2025-12-31 17:59:59")
        for (task, _), moment in zip(tasks, moments, strict=False):
            warehouse.execute(event_of_sample(task, "escalated", moment))
        warehouse.execute(LATE_CHANGES.format(commented=tasks[1][0], changed=tasks[3][0]))
        warehouse.execute(small_scenario.ARRIVAL)  # rows of 2025-12-01
        relations = [_relations(warehouse)]
        report = reconcile(settings, warehouse.etl_url, SAMPLE_AS_OF)
        relations.append(_relations(warehouse))
        rest = warehouse.build("--select", *NOT_RECONCILED, *NO_TESTS)
        assert rest.succeeded, rest.output[-2000:]
        began = warehouse.value("select now()")
        patch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.etl_url)
        command = CliRunner().invoke(commands, ["reconcile", "--as-of", str(SAMPLE_AS_OF)])
        status = CliRunner().invoke(commands, ["status"])
        yield Reconciled(warehouse, tasks, before, relations, report, began, command, status)


def test_a_load_counts_late_events_and_comments(reconciled: Reconciled) -> None:
    after = [reconciled.warehouse.rows(FACTS, case, task)[0] for task, case in reconciled.tasks[:3]]
    assert after == [(of_task + 1, of_case + 1) for of_task, of_case in reconciled.before[:3]]
    assert reconciled.warehouse.value(COMMENTS, reconciled.tasks[1][0]) == 0


def test_a_load_takes_in_late_rows(reconciled: Reconciled) -> None:
    expected = {
        "fact_tasks": set(small_scenario.TASKS) - {"repaired"},
        "fact_cases": set(small_scenario.CASES),
        "fact_wellbeing_checkins": set(small_scenario.CHECKINS),
    }
    for relation, names in expected.items():
        key = relation.removeprefix("fact_wellbeing_").removeprefix("fact_").removesuffix("s") + "_id"
        query = f"select {key} from insights.{relation} where organization_id = %s"  # noqa: S608
        loaded = reconciled.warehouse.rows(query, uid("organization"))
        assert small_scenario.names_of({i for (i,) in loaded}) == names


def test_reconciliation_reports_exactly_what_the_loads_missed(reconciled: Reconciled) -> None:
    task, _ = reconciled.tasks[3]
    organization = reconciled.warehouse.value("select organization_id from tasks where id = %s", task)
    assert reconciled.report == {"dim_tasks": Written(1, [f"{organization}, {task}"])}
    # What cannot be loaded is rejected all the same.
    rejects = "select reject_reason from insights_ops.rejects where source_id = %s"
    assert reconciled.warehouse.rows(rejects, uid("repaired")) == [("unknown_status",)]


def test_reconciliation_reports_nothing_when_nothing_was_missed(reconciled: Reconciled) -> None:
    assert reconciled.command.exit_code == 0, reconciled.command.output
    assert reconciled.command.output.startswith("No row was missed.\n")


def test_reconciliation_leaves_every_relation_in_its_place(reconciled: Reconciled) -> None:
    before, after = reconciled.relations
    assert set(before) - set(after) == set()
    assert {*incremental(), *snapshots()} <= set(after)


def test_the_command_passes_every_data_test_and_status_says_since_when(
    reconciled: Reconciled,
) -> None:
    tests = len(nodes("test"))
    assert f"{tests} data tests passed over all rows, in " in reconciled.command.output
    query = "select count(*), min(recounted_at) > %s from insights_ops.test_results"
    assert reconciled.warehouse.rows(query, reconciled.began) == [(tests, True)]
    assert "each passed over all rows since 20" in reconciled.status.output


def test_the_key_of_facts_and_dimensions_begins_with_the_id(reconciled: Reconciled) -> None:
    keys = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'p'"
    for relation, key in {
        "fact_tasks": "task_id",
        "dim_tasks": "task_id",
        "fact_cases": "case_id",
        "dim_cases": "case_id",
    }.items():
        assert reconciled.warehouse.rows(keys, f"insights.{relation}") == [(f"PRIMARY KEY ({key}, organization_id)",)]
