"""Raw retention: what is older than the cutoff is not loaded, and the cutoff never moves back (decision D8)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from support import small_scenario
from support.contents import contents
from support.policy import PACKAGE, manifest, models
from support.small_scenario import NEXT_DAY, names_of, task
from support.warehouse import NO_TESTS, Warehouse

from orchestration.flows import FACTS
from orchestration.manifest import marts
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.services

RELATIONS = ("dim_tasks", "fact_tasks", "dim_cases", "fact_cases", "fact_wellbeing_checkins")
RUN = ("--select", *(f"+{name}" for name in RELATIONS))
AGAIN = (*RUN, "--exclude", "path:models/staging")
ONE_YEAR = dict.fromkeys(("dev", "staging", "prod", "offline"), 365)

# The rows of 2025, counted in the operational tables; the sample's unknown tokens are rejected.
IN_2025 = "created_at >= '2025-01-01 00:00+00' and created_at < '2026-01-01 00:00+00'"
TASKS_OF_2025 = f"""
    select id from tasks where {IN_2025}
    and status not in ('WAITING_FOR_PARTS', 'NONSENSE')
    and priority <> 'URGENT' and severity <> 'SEVERE' and source <> 'fax'
"""
EXPECTED = {
    "dim_tasks": TASKS_OF_2025,
    "fact_tasks": TASKS_OF_2025,
    "dim_cases": f"select id from cases where {IN_2025}",
    "fact_cases": f"select id from cases where {IN_2025}",
    "fact_wellbeing_checkins": f"select id from wellbeing_checkins where {IN_2025}",
}


def _stored(warehouse: Warehouse) -> dict[str, dict[UUID, str]]:
    return {name: contents(warehouse, f"insights.{name}") for name in RELATIONS}


def test_rows_before_the_cutoff_are_not_loaded_and_nothing_brings_them_back(prepared: Warehouse) -> None:
    prepared.execute(small_scenario.ARRIVAL)
    prepared.execute(task("first_moment", None, "2025-01-01 00:00:00"))
    prepared.execute(task("moment_before", None, "2024-12-31 23:59:59.999999"))
    assert prepared.build(*RUN, *NO_TESTS, raw_event_retention_days=ONE_YEAR).succeeded
    loaded = _stored(prepared)
    for name, query in EXPECTED.items():
        assert set(loaded[name]) == {key for (key,) in prepared.rows(query)}
    assert small_scenario.uid("first_moment") in loaded["fact_tasks"]
    assert small_scenario.uid("moment_before") not in loaded["fact_tasks"]

    # The shipped 730 days, an older day, and every source row looked at.
    assert prepared.build(*AGAIN, command="run", as_of=date(2025, 6, 1), scan_all=True).succeeded
    assert _stored(prepared) == loaded

    # A rebuild does not either, whatever else it does.
    assert prepared.build(*AGAIN, "--full-refresh", command="run", as_of=NEXT_DAY, rebuild=True).succeeded
    rebuilt = _stored(prepared)
    # docs/sample.md: three tasks, two cases and three check-ins are of 2026-01-01.
    arrived = {name: len(set(rebuilt[name]) - set(loaded[name])) for name in RELATIONS}
    assert arrived == {"dim_tasks": 3, "fact_tasks": 3, "dim_cases": 2, "fact_cases": 2, "fact_wellbeing_checkins": 3}
    assert not any(names_of(set(loaded[name]) - set(rebuilt[name])) for name in RELATIONS)


CUTOFF = "select insights_ops.retention_cutoff('raw_event', '2026-01-01', 730)"
LOGGED = """
    insert into insights_ops.load_log (
        relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    ) values (%s, '2026-01-02', '2026-01-02', '-infinity', '2026-01-02', '2024-01-03', 'test', 'dev')
"""


def test_only_loads_of_raw_events_move_the_cutoff_of_raw_events(built: Warehouse) -> None:
    assert built.value(CUTOFF) == date(2024, 1, 2)
    assert built.build("--select", "dim_dates", command="run", as_of=NEXT_DAY).succeeded
    assert built.value(CUTOFF) == date(2024, 1, 2)
    moving = set()
    with connect(built.admin_url) as connection:
        for model in models():
            connection.execute(LOGGED, [model["name"]])
            if connection.execute(CUTOFF).fetchone() == (date(2024, 1, 3),):
                moving.add(model["name"])
            connection.rollback()
    # The relations whose loads take in no row before the cutoff: those that the daily load of facts builds. Statuses
    # are of the tasks that a load of dim_tasks and fact_tasks takes in, and no cutoff of their own is used for them.
    built_daily = set(marts(manifest(), dag=FACTS.dag, folder=FACTS.folder))
    business = {f"fact_{name}_business_times" for name in ("task", "task_status", "case")}
    assert moving == set(RELATIONS) == built_daily - {"fact_task_statuses", *business}


def test_unit_tests_pass_whatever_was_purged(built: Warehouse) -> None:
    # A plain `dbt build` in production runs them too, and skips every model behind one that fails.
    built.execute(
        """
        insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)
        select 'fact_tasks', retention_class, date '2026-01-01', date '2026-01-01', 'dev'
        from unnest(array['raw_event', 'aggregated', 'pattern_result']) as retention_class
        """
    )
    callers = _callers({f"macro.{PACKAGE}.purge_cutoff", f"macro.{PACKAGE}.retention_cutoff"})
    assert {"int_monthly_trends", "dim_persons", "pattern_weekly"} <= callers
    result = built.build("--select", *(f"test_type:unit,{name}" for name in callers), command="test")
    assert result.succeeded, result.output


def _callers(macros: set[str]) -> set[str]:
    """Return the models that call one of these macros, directly or through others."""
    callers = {name for name, macro in manifest()["macros"].items() if macros & {*macro["depends_on"]["macros"]}}
    if callers - macros:
        return _callers(macros | callers)
    return {model["name"] for model in models() if macros & {*model["depends_on"]["macros"]}}
