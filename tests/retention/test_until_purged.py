"""A row that is out of retention follows its source until a purge deletes it (decision D139)."""

from __future__ import annotations

import pytest
from support.retention.purging import run_purge
from support.small_scenario import NEXT_DAY, TODAY
from support.warehouse import NO_TESTS, Warehouse

from orchestration.config.files import Settings
from orchestration.retention.plan import Retained

pytest_plugins = ["support.retention.purging"]
pytestmark = pytest.mark.services

# A task, a case and a check-in of 2024-01-02, which leaves raw retention on the next day; the task gets a requester.
CHOICE = """
    create table chosen as
    select
        facts.task_id, facts.organization_id,
        (
            select id from person_profiles as persons
            where persons.organization_id = facts.organization_id and confidentiality_level = 'normal'
            order by id limit 1
        ) as person_id,
        (
            select case_id from insights.fact_cases where opened_date_key = '2024-01-02' order by case_id limit 1
        ) as case_id,
        (
            select checkin_id from insights.fact_wellbeing_checkins where date_key = '2024-01-02'
            order by checkin_id limit 1
        ) as checkin_id
    from insights.fact_tasks as facts
    where created_date_key = '2024-01-02' and visibility in ('PUBLIC', 'INTERNAL')
    order by facts.task_id limit 1;
    update tasks set requester_person_id = person_id from chosen where id = task_id;
"""
CHANGES = f"""
    update person_profiles set confidentiality_level = 'highly_sensitive', updated_at = '{TODAY}+00'
    from chosen where id = person_id;
    update cases set severity = 'CRITICAL', updated_at = '{TODAY}+00' from chosen where id = case_id;
    update wellbeing_checkins set score = 1, updated_at = '{TODAY}+00' from chosen where id = checkin_id;
"""  # noqa: S608
LOADED = ("--select", "+fact_tasks", "+fact_cases", "+fact_wellbeing_checkins", "+dim_tasks", "+dim_cases")
STORED = """
    select
        (select visibility from insights.dim_tasks join chosen using (task_id)),
        (select visibility from insights.fact_tasks join chosen using (task_id)),
        (select severity from insights.dim_cases join chosen using (case_id)),
        (select severity from insights.fact_cases join chosen using (case_id)),
        (select score from insights.fact_wellbeing_checkins join chosen using (checkin_id))
"""


def test_a_row_out_of_retention_is_updated_until_it_is_purged(
    built: Warehouse, settings: Settings, plan: list[Retained]
) -> None:
    built.execute(CHOICE + CHANGES)
    assert built.build(as_of=NEXT_DAY).succeeded  # with all data tests
    assert built.rows(STORED) == [("RESTRICTED", "RESTRICTED", "CRITICAL", "CRITICAL", 1)]

    run_purge(built, settings, plan, NEXT_DAY)
    assert built.build(*LOADED, *NO_TESTS, as_of=NEXT_DAY, scan_all=True).succeeded
    assert built.rows(STORED) == [(None,) * 5]
