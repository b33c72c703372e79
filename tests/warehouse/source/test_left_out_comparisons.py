"""A load finds late, deleted and moved rows, whether or not it compares all of them (decision D256)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from support import in_process, small_scenario
from support.small_scenario import ARRIVED, NEXT_DAY, comment, event, task, uid
from support.source.looks import look, unchanged
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.dbt_engines import writing
from orchestration.warehouse.source.fingerprints import COMPARED
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

MARTS = ("dim_tasks", "fact_tasks", "dim_cases", "fact_cases", "personal_cases", "fact_task_statuses", "rejects")
NO_VIEWS = ("--exclude", "config.materialized:view")  # the built sample has them
LOAD = ("--select", *(f"+{name}" for name in MARTS), *NO_VIEWS)
# What was read of the events and comments, by sessions that have ended.
READ = """
    select t.relname, t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0)
    from pg_stat_user_tables as t left join pg_stat_user_indexes as i using (relid)
    where t.schemaname = 'public' and t.relname in ('task_events', 'task_comments')
    group by t.relname, t.seq_tup_read
"""
TASK_COUNTS = "select linked_task_count from insights.fact_cases where case_id = %s"
# Orgo's own keys, and rows whose organization is gone or not there yet, as a restore can leave them.
KEYS = """
    alter table tasks drop constraint tasks_requester_person_id_fkey;
    alter table tasks add foreign key (requester_person_id) references person_profiles (id) on delete set null;
    alter table tasks drop constraint tasks_case_id_fkey;
    alter table tasks add foreign key (case_id) references cases (id) on delete set null;
    alter table tasks drop constraint tasks_organization_id_fkey;
    alter table task_events drop constraint task_events_organization_id_fkey;
"""
OTHER_ORGANIZATION = f"select id from organizations where id <> '{uid('organization')}' order by id limit 1"
MOVED_DATE = "timestamptz '2026-01-01 20:00+00'"
EVENT_COUNT = "select event_count from insights.fact_tasks where task_id = %s"
TASK_EXISTS = "select count(*) from insights.fact_tasks where task_id = %s"
# Cases like another one, each for the tasks of one change.
FURTHER_CASES = "".join(
    "insert into cases select (jsonb_populate_record(c, jsonb_build_object("
    f"'id', '{uid(name)}'))).* from cases as c where id = '{uid('without_tasks')}';"
    for name in ("before_ancient", "after_ancient", "smaller", "larger")
)
FURTHER_TASKS = (
    task("ancient", "before_ancient", "2020-03-01 08:00")
    + task("stays", "smaller", ARRIVED)
    + task("goes", "smaller", ARRIVED)
    + task("early", None, ARRIVED).replace(str(uid("organization")), str(uid("comes later")))
)


@pytest.fixture(scope="module")
def scenario(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """The sample with the small scenario and a few more cases and tasks, loaded once."""
    warehouse = Warehouse.copy_of(built_sample, "fingerprints", postgres, settings)
    warehouse.execute(KEYS + small_scenario.ARRIVAL + FURTHER_CASES + FURTHER_TASKS)
    warehouse.execute(f"update person_profiles set created_at = '{ARRIVED}+00'")
    load(warehouse)
    return warehouse


def load(warehouse: Warehouse, as_of: date = NEXT_DAY) -> None:
    result = warehouse.build(*LOAD, command="run", as_of=as_of)
    assert result.succeeded, result.output[-3000:]


def counts(warehouse: Warehouse, *cases: str) -> list[int]:
    return [warehouse.value(TASK_COUNTS, uid(case)) for case in cases]


def read_by_a_load(warehouse: Warehouse) -> dict[str, int]:
    before = dict(warehouse.rows(READ))
    load(warehouse)
    warehouse.wait_for("select count(*) = 1 from pg_stat_activity where datname = current_database()")
    return {name: int(rows - before[name]) for name, rows in warehouse.rows(READ)}


def test_a_load_compares_only_what_changed_tables_can_affect(scenario: Warehouse) -> None:
    sizes = {name: scenario.value(f"select count(*) from {name}") for name in ("task_events", "task_comments")}
    calm = read_by_a_load(scenario)
    assert unchanged(scenario) == set(COMPARED)
    assert scenario.value(TASK_EXISTS, uid("early")) == 0
    # Orgo clears the references to a case or a person that it deletes, without touching updated_at.
    scenario.execute(f"delete from cases where id = '{uid('of_deletion')}'")
    load(scenario)
    assert unchanged(scenario) == {*COMPARED} - {"cases"}
    query = "select case_id from insights.dim_tasks where task_id = any(%s)"
    assert scenario.rows(query, [uid("deleted"), uid("sibling")]) == [(None,), (None,)]
    scenario.execute(
        event("commented", "metadata_updated", ARRIVED)
        + comment("closed", ARRIVED)
        + f"delete from person_profiles where id = '{uid('sensitive_leaver')}';"
        "insert into organizations (id, slug, display_name, timezone, created_at, updated_at)"
        f" values ('{uid('comes later')}', 'later', 'Later', 'UTC', {MOVED_DATE}, {MOVED_DATE})"
    )
    busy = read_by_a_load(scenario)
    assert unchanged(scenario) == {"tasks", "cases"}
    # A comparison reads each event and comment once more.
    assert {name for name in sizes if busy[name] - calm[name] > 0.9 * sizes[name]} == set(sizes)
    query = "select event_count, comment_count from insights.fact_tasks where task_id = %s"
    assert [scenario.rows(query, uid(name)) for name in ("commented", "closed")] == [[(2, 0)], [(1, 1)]]
    query = "select visibility, quality_flags from insights.dim_tasks where task_id = %s"
    assert scenario.rows(query, uid("of_leaver")) == [("RESTRICTED", ["sensitive_requester_removed"])]
    assert scenario.value(TASK_EXISTS, uid("early")) == 1  # the old task of an organization that came later


def test_a_task_that_moves_makes_its_former_case_smaller_without_a_comparison(scenario: Warehouse) -> None:
    cases = ("old_home", "new_home", "of_person", "of_escalation", "before_ancient", "after_ancient")
    before = counts(scenario, *cases)
    scenario.execute(
        f"update tasks set case_id = '{uid('new_home')}', updated_at = {MOVED_DATE} where id = '{uid('moved')}';"
        # It leaves a case and becomes invalid at the same time.
        f"update tasks set case_id = '{uid('new_home')}', status = 'NONSENSE', updated_at = {MOVED_DATE}"
        f" where id = '{uid('personal')}';"
        # Another organization takes it, in no case.
        f"update tasks set organization_id = ({OTHER_ORGANIZATION}), case_id = null, updated_at = {MOVED_DATE}"
        f" where id = '{uid('escalated')}';"
        # A task that is out of retention.
        f"update tasks set case_id = '{uid('after_ancient')}', updated_at = {MOVED_DATE} where id = '{uid('ancient')}'"
    )
    load(scenario)
    assert unchanged(scenario) == set(COMPARED)
    assert [now - then for now, then in zip(counts(scenario, *cases), before, strict=True)] == [-1, 1, -1, -1, -1, 1]


def test_tasks_that_are_late_or_gone_are_found(scenario: Warehouse) -> None:
    assert counts(scenario, "smaller", "larger") == [2, 0]
    scenario.execute(
        task("late", "larger", ARRIVED) + f"delete from task_events where task_id = '{uid('goes')}';"
        f"delete from tasks where id = '{uid('goes')}'"
    )
    load(scenario)
    assert unchanged(scenario) == {*COMPARED} - {"tasks", "task_events"}
    assert scenario.value(TASK_EXISTS, uid("late")) == 1
    assert counts(scenario, "smaller", "larger") == [1, 1]


def by_a_plain_dbt(warehouse: Warehouse) -> None:
    given = {"as_of": str(NEXT_DAY)}
    succeeded, output = in_process.run(warehouse.settings, ["run", *LOAD], warehouse.etl_url, given, 0)
    assert succeeded, output[-3000:]


def of_marts_without_their_delta(warehouse: Warehouse) -> None:
    assert warehouse.build("--select", *MARTS, command="run", as_of=NEXT_DAY).succeeded


def of_one_mart(warehouse: Warehouse) -> None:
    assert warehouse.build("--select", "fact_tasks", command="run", as_of=NEXT_DAY).succeeded


@pytest.mark.parametrize("between", [of_marts_without_their_delta, of_one_mart])
def test_what_a_load_of_some_marts_has_not_read_is_found_by_the_next(
    scenario: Warehouse, between: Callable[[Warehouse], None]
) -> None:
    before = scenario.value(EVENT_COUNT, uid("hushed"))
    scenario.execute(event("hushed", "metadata_updated", ARRIVED, before))
    between(scenario)  # it looks at the source and sees the event, which its marts do not get
    assert scenario.value(EVENT_COUNT, uid("hushed")) == before
    load(scenario)
    assert scenario.value(EVENT_COUNT, uid("hushed")) == before + 1


def test_after_a_plain_dbt_everything_is_compared(scenario: Warehouse) -> None:
    by_a_plain_dbt(scenario)
    before = scenario.value(EVENT_COUNT, uid("hushed"))
    newest = "select max(claim_number) from insights_ops.source_fingerprints"
    scenario.execute(event("hushed", "metadata_updated", ARRIVED, before))
    # As if the event had been there when the last load looked, and had escaped it.
    look(scenario, scenario.value(newest), NEXT_DAY)
    scenario.execute("update insights_ops.source_fingerprints set unchanged_since = 0")
    load(scenario)
    assert unchanged(scenario) == set(COMPARED)
    assert scenario.value(EVENT_COUNT, uid("hushed")) == before + 1


def step(warehouse: Warehouse, *selected: str, looks: bool) -> None:
    """Run dbt with a writer lock of its own, as a step of a DAG does; only the first step looks at the source."""
    with writing(warehouse.settings, warehouse.etl_url) as claim:
        if looks:
            look(warehouse, claim, NEXT_DAY)
        given = {"as_of": str(NEXT_DAY)}
        command = ["run", "--select", *selected]
        succeeded, output = in_process.run(warehouse.settings, command, warehouse.etl_url, given, claim)
    assert succeeded, output[-3000:]


def test_the_steps_of_a_dag_use_what_the_first_has_looked_at(scenario: Warehouse) -> None:
    def night() -> None:
        step(scenario, "+int_case_lifecycle", "+int_task_statuses", "+rejects", *NO_VIEWS, looks=True)
        step(scenario, *MARTS, looks=False)

    night()
    before = scenario.value(EVENT_COUNT, uid("hushed"))
    scenario.execute(event("hushed", "metadata_updated", ARRIVED, before))
    # As if the event had been there when that night looked: the next one does not compare, and so does not find it.
    newest = scenario.value("select max(claim_number) from insights_ops.source_fingerprints")
    look(scenario, newest, NEXT_DAY)
    scenario.execute("update insights_ops.source_fingerprints set unchanged_since = 0")
    night()
    assert scenario.value(EVENT_COUNT, uid("hushed")) == before
    scenario.execute("delete from insights_ops.source_fingerprints")
    night()
    assert scenario.value(EVENT_COUNT, uid("hushed")) == before + 1
