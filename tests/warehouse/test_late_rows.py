"""Rows committed late by a source transaction: the next load sees those in the overlap, a reconciliation the others."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest
from support import small_scenario
from support.contents import INCREMENTAL, SNAPSHOTS
from support.small_scenario import event_of_sample, uid
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from orchestration.reconcile import Written, reconcile
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# Three plain tasks of the sample in cases of their own; the load as of 2026-01-01 looks back to 2025-12-31 18:00.
CHOSEN = """
    select task_id, case_id from insights.dim_tasks
    where case_id is not null and quality_flags = '{}' and created_at between '2025-02-01' and '2025-10-01'
    order by task_id limit 3
"""
FACTS = """
    select tasks.escalation_count, cases.escalation_count
    from insights.fact_tasks as tasks inner join insights.fact_cases as cases on cases.case_id = %s
    where tasks.task_id = %s
"""


@dataclass(frozen=True)
class Reconciled:
    """Two reconciliations in a row of a warehouse with late rows, and a build with every data test after them."""

    warehouse: Warehouse
    tasks: list[tuple[UUID, UUID]]  # task and case: escalated in the overlap, at its very start, behind it
    before: list[tuple[int, int]]  # their escalations: of the task, of the case
    relations: list[list[str]]  # what the database held before and after the first reconciliation
    reports: list[dict[str, Written]]
    build: DbtResult


def _relations(warehouse: Warehouse) -> list[str]:
    query = (
        "select oid::regclass::text from pg_class where relnamespace::regnamespace::text like 'insights%' order by 1"
    )
    return [name for (name,) in warehouse.rows(query)]


@pytest.fixture(scope="module")
def reconciled(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Reconciled:
    warehouse = Warehouse.copy_of(built_sample, "late_rows", postgres, settings)
    tasks = warehouse.rows(CHOSEN)
    before = [warehouse.rows(FACTS, case, task)[0] for task, case in tasks]
    moments = ("2025-12-31 23:59:59", "2025-12-31 18:00", "2025-12-31 17:59:59")
    for (task, _), moment in zip(tasks, moments, strict=True):
        warehouse.execute(event_of_sample(task, "escalated", moment))
    warehouse.execute(small_scenario.ARRIVAL)  # rows of 2025-12-01
    relations = [_relations(warehouse)]
    reports = [reconcile(settings, warehouse.etl_url, SAMPLE_AS_OF)]
    relations.append(_relations(warehouse))
    reports.append(reconcile(settings, warehouse.etl_url, SAMPLE_AS_OF))
    build = warehouse.build("--exclude-resource-type", "unit_test")
    return Reconciled(warehouse, tasks, before, relations, reports, build)


def test_an_event_inside_the_overlap_is_loaded_and_so_is_one_behind_it_by_the_reconciliation(
    reconciled: Reconciled,
) -> None:
    after = [reconciled.warehouse.rows(FACTS, case, task)[0] for task, case in reconciled.tasks]
    assert after == [(of_task + 1, of_case + 1) for of_task, of_case in reconciled.before]


def test_reconciliation_reports_exactly_what_the_overlap_missed(reconciled: Reconciled) -> None:
    task, case = reconciled.tasks[2]
    loaded_tasks = [uid(name) for name in small_scenario.TASKS if name != "repaired"]
    cases = [uid(name) for name in small_scenario.CASES]
    missed = {
        "dim_tasks": loaded_tasks,
        "fact_tasks": [*loaded_tasks, task],
        "dim_cases": cases,
        "fact_cases": [*cases, case],
        "fact_wellbeing_checkins": [uid(name) for name in small_scenario.CHECKINS],
    }
    assert reconciled.reports[0] == {
        relation: Written(len(ids), sorted(str(i) for i in ids)[:5]) for relation, ids in missed.items()
    }
    # What cannot be loaded is rejected all the same.
    rejects = "select reject_reason from insights_ops.rejects where source_id = %s"
    assert reconciled.warehouse.rows(rejects, uid("repaired")) == [("unknown_status",)]


def test_reconciliation_reports_nothing_when_nothing_was_missed(reconciled: Reconciled) -> None:
    assert reconciled.reports[1] == {}


def test_reconciliation_leaves_every_relation_in_its_place(reconciled: Reconciled) -> None:
    before, after = reconciled.relations
    assert set(before) - set(after) == set()
    assert {*INCREMENTAL, *SNAPSHOTS} <= set(after)


def test_after_a_reconciliation_every_data_test_passes(reconciled: Reconciled) -> None:
    assert reconciled.build.succeeded, reconciled.build.output[-2000:]
