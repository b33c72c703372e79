"""A failed data test holds up nothing that does not depend on what it found (decision D140)."""

from __future__ import annotations

import pytest
from support.small_scenario import NEXT_DAY
from support.warehouse import Warehouse

from orchestration import dbt
from orchestration.flows import FLOWS, Always

# A token that no load repairs, since its task did not change, and a person who was deleted from the source.
SOURCE = """
    update insights.fact_tasks set source = 'telegraph'
    where task_id = (select task_id from insights.fact_tasks order by task_id limit 1);
    create table chosen as
    select id as person_id from person_profiles order by id limit 1;
    alter table tasks drop constraint tasks_requester_person_id_fkey;
    alter table wellbeing_checkins drop constraint wellbeing_checkins_person_id_fkey;
    alter table learning_group_memberships drop constraint learning_group_memberships_person_id_fkey;
    delete from person_profiles where id in (select person_id from chosen);
"""
# With the tables between the source and what the test looks at, and the facts that have the failed test.
SELECTED = (
    *("int_task_statuses", "int_task_lifecycle", "int_case_lifecycle", "int_monthly_trends"),
    *("tokens", "fact_tasks", "dim_tasks", "dim_cases", "dim_persons", "personal_persons"),
    *("report_task_volume", "report_monthly_trends", "pattern_weekly"),
)
LOADED = "select max(as_of) from insights_ops.load_log where relation_name = %s"


@pytest.mark.services
def test_a_failed_test_holds_up_neither_reports_nor_the_erasure_of_names(
    built: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    built.execute(SOURCE)
    arguments = ["--quiet", "--select", *SELECTED, "--indirect-selection", "cautious"]
    done = dbt.build(built.settings, arguments, url=built.etl_url, variables=dbt.as_of_variable(NEXT_DAY))
    assert done.exit_code == 1
    assert "known_tokens_in_fact_tasks" in capfd.readouterr().out
    for relation in ("report_task_volume", "report_monthly_trends", "pattern_weekly", "dim_persons"):
        assert built.value(LOADED, relation) == NEXT_DAY, relation
    gone = "select is_gone from insights.dim_persons where person_id = (select person_id from chosen)"
    assert built.rows(gone) == [(True,)]
    names = "select full_name from insights_personal.personal_persons where person_id = (select person_id from chosen)"
    assert built.rows(names) == []


def test_the_purge_of_the_daily_load_does_not_wait_for_its_tests() -> None:
    steps = FLOWS["daily_events_load"].steps
    assert [step.task_id for step in steps if isinstance(step, Always)] == ["purge"]
