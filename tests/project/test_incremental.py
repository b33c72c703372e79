"""Two builds, a replay, and one more day: what is written, and that it equals a warehouse made from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID

import pytest
from support import small_scenario
from support.contents import (
    LISTED_CASES,
    contents,
    difference,
    from_scratch,
    incremental,
    rebuilt,
    row_changes,
    row_of,
    written_since,
)
from support.small_scenario import NEXT_DAY, names_of, uid
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
LONG_AGO = date(2025, 6, 1)


@dataclass(frozen=True)
class Life:
    """What was seen on the way from the first build to the next day."""

    warehouse: Warehouse
    from_scratch: Warehouse  # built from the same source as of the same day, at once
    arrived: dict[str, set[UUID]]  # rows written by the load that brought the small scenario
    listed: set[UUID]  # cases that the reviews of those builds listed
    after_second_build: dict[str, int]  # rows changed by ...
    after_replay: dict[str, int]
    after_next_day: dict[str, int]
    next_day: DbtResult
    written: dict[str, set[UUID]]  # rows written on the next day


# Its ids are hashes of tasks and numbers; tests/reports/test_backlog.py compares it.
HISTORY = "insights.fact_task_statuses"
# The organizations of the small scenario have no calendar.
BUSINESS_TASKS, BUSINESS_STATUSES, BUSINESS_CASES = (
    f"insights.fact_{name}_business_times" for name in ("task", "task_status", "case")
)


def _now(warehouse: Warehouse) -> datetime:
    moment = warehouse.value("select clock_timestamp()")
    assert isinstance(moment, datetime)
    return moment


@pytest.fixture(scope="module")
def life(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Life:
    warehouse = Warehouse.copy_of(built_sample, "life", postgres, settings)
    warehouse.execute(small_scenario.ARRIVAL)
    started = _now(warehouse)
    assert warehouse.build(*NO_TESTS, scan_all=True).succeeded
    arrived = {relation: written_since(warehouse, relation, started) for relation in incremental()}

    changes = [row_changes(warehouse)]
    assert warehouse.build(*NO_TESTS).succeeded
    changes.append(row_changes(warehouse))
    assert warehouse.build(*NO_TESTS, as_of=LONG_AGO).succeeded
    changes.append(row_changes(warehouse))

    listed = {case for (case,) in warehouse.rows(LISTED_CASES)}

    warehouse.execute(small_scenario.DAY)
    started = _now(warehouse)
    next_day = warehouse.build("--exclude-resource-type", "unit_test", as_of=NEXT_DAY)
    written = {relation: written_since(warehouse, relation, started) for relation in incremental()}
    changes.append(row_changes(warehouse))

    second_build, replay, day = (
        {name: after[name] - before[name] for name in after} for before, after in pairwise(changes)
    )
    scratch = from_scratch(warehouse, NEXT_DAY)
    return Life(warehouse, scratch, arrived, listed, second_build, replay, day, next_day, written)


def _sample_rows(ids: set[UUID]) -> int:
    return sum(1 for name in names_of(ids) if name.count("-") == 4)


def _small_scenario_rows(ids: set[UUID]) -> set[str]:
    return {name for name in names_of(ids) if name.count("-") != 4}


def test_a_load_that_looks_at_everything_writes_only_what_is_missing(life: Life) -> None:
    loaded_tasks = set(small_scenario.TASKS) - {"repaired"}
    hashed = {HISTORY, BUSINESS_TASKS, BUSINESS_STATUSES, BUSINESS_CASES}
    assert {relation: names_of(ids) for relation, ids in life.arrived.items() if relation not in hashed} == {
        "insights.dim_tasks": loaded_tasks,
        "insights.fact_tasks": loaded_tasks,
        "insights.dim_cases": set(small_scenario.CASES),
        "insights.fact_cases": set(small_scenario.CASES),
        "insights_personal.personal_cases": set(small_scenario.CASES),
        "insights.dim_persons": set(small_scenario.PERSONS),
        "insights.dim_learning_groups": set(small_scenario.GROUPS),
        "insights.fact_wellbeing_checkins": set(small_scenario.CHECKINS),
        "insights_ops.rejects": {"repaired"},
    }


def test_second_build_on_unchanged_sources_writes_no_row(life: Life) -> None:
    assert life.after_second_build == dict.fromkeys(life.after_second_build, 0)


def test_replay_of_an_old_as_of_writes_no_row(life: Life) -> None:
    assert life.after_replay == dict.fromkeys(life.after_replay, 0)


def test_next_day_passes_every_data_test(life: Life) -> None:
    assert life.next_day.succeeded, life.next_day.output[-2000:]


# The sample's own rows of 2026-01-01 (docs/sample.md): three tasks are created (two with a case of their own), three
# are closed (their columns were overwritten before the first build, so only the event is news), three get their first
# comment, three check-ins are made. A task that left retention and is not yet purged is changed and commented (D139).
WRITTEN = {
    "insights.dim_tasks": (4, {"arrived", "closed", "moved", "personal", "repaired"}),
    "insights.fact_tasks": (10, {"arrived", "closed", "commented", "escalated", "personal", "repaired", "of_leaver"}),
    "insights.dim_cases": (2, {"of_person", "without_tasks"}),
    "insights.fact_cases": (
        2,
        {"old_home", "new_home", "of_person", "of_escalation", "without_tasks", "of_deletion"},
    ),
    "insights.dim_persons": (0, {"becomes_sensitive", "leaves", "sensitive_leaver"}),
    "insights.dim_learning_groups": (0, {"beta"}),
    "insights.fact_wellbeing_checkins": (3, {"of_joiner", "of_two_groups", "corrected", "new_checkin"}),
    "insights_ops.rejects": (0, {"repaired", "spoilt"}),
}


@pytest.mark.parametrize("relation", WRITTEN)
def test_next_day_writes_only_the_rows_that_really_changed(life: Life, relation: str) -> None:
    ids = life.written[relation]
    sample_rows, small_scenario_rows = WRITTEN[relation]
    if relation == "insights.fact_cases":  # the reviews of the first day are known from the next on
        sample_rows += _sample_rows(life.listed)
        assert life.listed <= ids
    assert (_sample_rows(ids), _small_scenario_rows(ids)) == (sample_rows, small_scenario_rows)
    assert life.after_next_day[relation] == len(ids)


def test_next_day_adds_one_version_to_the_history_of_the_organization_that_changed_its_profile(life: Life) -> None:
    versions = life.warehouse.rows(
        "select profile_code, dbt_valid_from::text, dbt_valid_to::text from insights_snapshots.organizations_history"
        " where organization_id = %s order by dbt_valid_from",
        uid("organization"),
    )
    before, noon = "2025-12-01 08:00:00+00", "2026-01-01 12:00:00+00"
    assert versions == [("advocacy_group", before, noon), ("hospital", noon, None)]
    # The old version is closed, the new one inserted.
    assert life.after_next_day["insights_snapshots.organizations_history"] == 2
    assert life.after_next_day["insights_snapshots.roles_history"] == 0
    assert life.after_next_day["insights_snapshots.labels_history"] == 0


# Rows of 2024-01-02 leave raw retention on 2026-01-02 (730 days): a warehouse from scratch has never seen them.
OUT_OF_RETENTION = {
    "insights.dim_tasks": "select id from tasks where created_at::date = '2024-01-02'",
    "insights.fact_tasks": "select id from tasks where created_at::date = '2024-01-02'",
    BUSINESS_TASKS: "select t.id from tasks as t join organizations as o on t.organization_id = o.id"
    " where t.created_at::date = '2024-01-02' and o.slug in ('sample-stores', 'sample-walking-club')",
    BUSINESS_CASES: "select c.id from cases as c join organizations as o on c.organization_id = o.id"
    " where c.created_at::date = '2024-01-02' and o.slug in ('sample-stores', 'sample-walking-club')",
    "insights.dim_cases": "select id from cases where created_at::date = '2024-01-02'",
    "insights.fact_cases": "select id from cases where created_at::date = '2024-01-02'",
    "insights_personal.personal_cases": "select id from cases where created_at::date = '2024-01-02'",
    "insights.fact_wellbeing_checkins": "select id from wellbeing_checkins where created_at::date = '2024-01-02'",
}
# Rows that the operational database has deleted, or has spoilt since they were loaded, stay.
STAYING = {
    "insights.dim_tasks": {"deleted", "spoilt"},
    "insights.fact_tasks": {"deleted", "spoilt"},
    "insights.dim_persons": {"leaves", "sensitive_leaver"},
}
# A comment that was deleted is counted until something else happens to its task.
STILL_COUNTED = {"insights.fact_tasks": {"hushed"}}


def test_next_day_equals_a_warehouse_from_scratch_but_for_what_stays(life: Life) -> None:
    for relation in set(incremental()) - {"insights_ops.rejects", HISTORY, BUSINESS_STATUSES}:
        found = difference(life.warehouse, life.from_scratch, relation)
        old = {key for (key,) in life.warehouse.rows(OUT_OF_RETENTION.get(relation, "select null where false"))}
        assert names_of(found.unequal) == STILL_COUNTED.get(relation, set()), relation
        assert names_of(found.only_second) == set(), relation
        assert names_of(found.only_first - old) == STAYING.get(relation, set()), relation
        assert old <= found.only_first, relation


def test_relations_that_are_rebuilt_equal_those_from_scratch(life: Life) -> None:
    for relation in rebuilt():
        key = row_of(relation)
        assert contents(life.warehouse, relation, key) == contents(life.from_scratch, relation, key), relation


def test_a_deleted_person_keeps_the_id_and_loses_name_and_reference(life: Life) -> None:
    query = "select confidentiality_level, is_gone from insights.dim_persons where person_id = %s"
    assert life.warehouse.rows(query, uid("leaves")) == [("normal", True)]
    names = "select person_id from insights_personal.personal_persons"
    assert uid("leaves") not in {key for (key,) in life.warehouse.rows(names)}
    assert life.warehouse.rows(names) != []


def test_a_task_stays_protected_when_its_sensitive_person_is_deleted(life: Life) -> None:
    for relation in ("insights.dim_tasks", "insights.fact_tasks"):
        query = f"select visibility from {relation} where task_id = %s"  # noqa: S608
        assert life.warehouse.value(query, uid("of_leaver")) == "RESTRICTED"


def test_a_repaired_row_loads_and_its_reject_is_resolved(life: Life) -> None:
    ((reason, value, resolved),) = _reject(life, "repaired")
    assert (reason, value, resolved) == ("unknown_status", "NONSENSE", True)
    assert _status(life, "repaired") == "PENDING"


def test_a_loaded_row_that_goes_bad_is_rejected_and_stays_as_it_was(life: Life) -> None:
    ((reason, value, resolved),) = _reject(life, "spoilt")
    assert (reason, value, resolved) == ("unknown_status", "NONSENSE", False)
    assert _status(life, "spoilt") == "IN_PROGRESS"


def test_rejects_equal_those_of_a_warehouse_from_scratch_except_older_ones(life: Life) -> None:
    found = difference(life.warehouse, life.from_scratch, "insights_ops.rejects")
    assert names_of(found.only_first) == {"repaired"}  # resolved
    assert found.unequal == set()
    # The event of the deleted task was loaded with it, and stays in its counts.
    assert found.only_second == {uid("created deleted 1")}


def _reject(life: Life, name: str) -> list[tuple[str, str, bool]]:
    return life.warehouse.rows(
        "select reject_reason, rejected_value, resolved_at is not null from insights_ops.rejects where source_id = %s",
        uid(name),
    )


def _status(life: Life, name: str) -> str:
    status = life.warehouse.value("select current_status from insights.fact_tasks where task_id = %s", uid(name))
    assert isinstance(status, str)
    return status
