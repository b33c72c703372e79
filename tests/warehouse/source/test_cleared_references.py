"""References that the source clears without changing `updated_at` are found, and protection is kept (decision D138)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest
from support import small_scenario
from support.small_scenario import ARRIVED, NEXT_DAY, TODAY, task, uid
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

MARTS = ("dim_tasks", "fact_tasks", "dim_cases", "fact_cases")
LOAD = ("--select", *(f"+{name}" for name in MARTS), "--exclude", "path:models/staging")  # the built sample has these

# As Orgo's migrations declare it.
ON_DELETE = """
    alter table tasks drop constraint tasks_requester_person_id_fkey;
    alter table tasks add foreign key (requester_person_id) references person_profiles (id) on delete set null;
"""
# Two tasks of a person who leaves, one of them in a case whose visibility is that of its tasks; a corrected requester.
SOURCE = (
    small_scenario.ARRIVAL
    + task("in_case", "of_escalation", ARRIVED, person="sensitive_leaver")
    + task("corrected", None, ARRIVED, person="sensitive_leaver")
    + task("homeless", "of_deletion", ARRIVED)
)
CORRECTION = f"update tasks set requester_person_id = '{uid('joins')}' where id = '{uid('corrected')}';"
DELETION = f"delete from person_profiles where id = '{uid('sensitive_leaver')}';"
CLEARED_CASE = f"update tasks set case_id = null where id = '{uid('homeless')}';"
EDITS = "".join(
    f"update tasks set title = 'edited', updated_at = '{TODAY}+00' where id = '{uid(name)}';"
    for name in ("of_leaver", "in_case", "corrected")
)


@dataclass(frozen=True)
class Cleared:
    """The visibilities after each load: of the source as it was, after the deletion, the edits, a repair, a rebuild."""

    warehouse: Warehouse
    visibilities: list[dict[str, set[str]]]
    flags: list[dict[str, list[str]]]
    tests: DbtResult


def _visibilities(warehouse: Warehouse) -> dict[str, set[str]]:
    """The visibilities of each row in the fact and the dimension."""
    found = {}
    for name in ("of_leaver", "in_case", "corrected"):
        query = "select visibility from insights.{}_tasks where task_id = %s"
        found[name] = {warehouse.value(query.format(kind), uid(name)) for kind in ("dim", "fact")}
    query = "select visibility from insights.{}_cases where case_id = %s"
    found["case"] = {warehouse.value(query.format(kind), uid("of_escalation")) for kind in ("dim", "fact")}
    return found


def _flags(warehouse: Warehouse) -> dict[str, list[str]]:
    query = "select quality_flags from insights.dim_tasks where task_id = %s"
    return {name: warehouse.value(query, uid(name)) for name in ("of_leaver", "in_case", "corrected")}


@pytest.fixture(scope="module")
def cleared(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Cleared:
    warehouse = Warehouse.copy_of(built_sample, "cleared_references", postgres, settings)
    warehouse.execute(ON_DELETE + SOURCE)
    visibilities, flags = [], []

    def load(source: str, as_of: date, *arguments: str, **variables: bool) -> None:
        warehouse.execute(source)
        result = warehouse.build(*LOAD, *arguments, command="run", as_of=as_of, **variables)
        assert result.succeeded, result.output
        visibilities.append(_visibilities(warehouse))
        flags.append(_flags(warehouse))

    load("select 1", SAMPLE_AS_OF, scan_all=True)
    load(CORRECTION + DELETION + CLEARED_CASE, SAMPLE_AS_OF)
    load(EDITS, NEXT_DAY)
    load("select 1", NEXT_DAY, scan_all=True)
    load("select 1", NEXT_DAY, "--full-refresh", rebuild=True)
    tests = warehouse.build("--select", "assert_sensitive_persons_are_protected", command="test", as_of=NEXT_DAY)
    return Cleared(warehouse, visibilities, flags, tests)


def test_rows_of_a_deleted_sensitive_person_stay_restricted(cleared: Cleared) -> None:
    for after in cleared.visibilities:
        assert (after["of_leaver"], after["in_case"], after["case"]) == ({"RESTRICTED"}, {"RESTRICTED"}, {"RESTRICTED"})


def test_the_next_load_finds_the_cleared_requester_and_says_why_the_task_is_restricted(cleared: Cleared) -> None:
    reason = ["sensitive_requester_removed"]
    assert cleared.flags[0] == {"of_leaver": [], "in_case": [], "corrected": []}
    for after in cleared.flags[1:]:
        assert after == {"of_leaver": reason, "in_case": reason, "corrected": []}


def test_a_task_whose_requester_was_corrected_follows_the_new_requester(cleared: Cleared) -> None:
    found = [after["corrected"] for after in cleared.visibilities]
    assert (found[0], found[2:]) == ({"RESTRICTED"}, [{"INTERNAL"}] * 3)


def test_the_next_load_finds_the_cleared_case(cleared: Cleared) -> None:
    query = "select case_id from insights.dim_tasks where task_id = %s"
    assert cleared.warehouse.value(query, uid("homeless")) is None


def test_the_data_test_of_protection_passes(cleared: Cleared) -> None:
    assert cleared.tests.succeeded, cleared.tests.output[-2000:]
