"""Sources with row-level security, which would hide rows from a load."""

from __future__ import annotations

import pytest
from support.contents import contents
from support.warehouse import NO_TESTS, Warehouse

from orchestration.errors import MisconfiguredError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize

pytestmark = pytest.mark.services


def _hide_tasks(warehouse: Warehouse) -> None:
    warehouse.execute(
        "alter table tasks enable row level security;"
        "create policy own_tasks on tasks using (label = current_setting('app.label', true))"
    )


def test_init_refuses_a_policy_that_hides_rows_and_names_table_and_remedy(prepared: Warehouse) -> None:
    _hide_tasks(prepared)
    with connect(prepared.admin_url) as connection, pytest.raises(MisconfiguredError) as refused:
        initialize(connection, prepared.settings)
    assert str(refused.value) == (
        "Row-level security hides rows of tasks from orgo_insights_etl, and hidden rows would look deleted."
        ' Let it read every row, as a superuser: alter role "orgo_insights_etl" bypassrls;'
    )


def test_a_policy_of_later_fails_the_load_and_nothing_is_deleted(built: Warehouse) -> None:
    before = contents(built, "insights.fact_tasks", "task_id")
    _hide_tasks(built)
    load = built.build("--select", "+fact_tasks", *NO_TESTS)
    assert not load.succeeded
    assert 'query would be affected by row-level security policy for table "tasks"' in load.output
    assert contents(built, "insights.fact_tasks", "task_id") == before != {}


def test_a_role_that_bypasses_policies_reads_every_row(prepared: Warehouse) -> None:
    # A role of its own, because roles belong to the whole server of the tests.
    warehouse = prepared.settings.insights.warehouse.model_copy(update={"write_user": "bypassing_etl"})
    insights = prepared.settings.insights.model_copy(update={"warehouse": warehouse})
    settings = type(prepared.settings)(
        prepared.settings.environment,
        insights,
        prepared.settings.profiles,
        prepared.settings.dags,
        prepared.settings.version,
    )
    _hide_tasks(prepared)
    with connect(prepared.admin_url) as connection, pytest.raises(MisconfiguredError) as refused:
        initialize(connection, settings)
    remedy = str(refused.value).rpartition(": ")[2]
    assert remedy == 'create role "bypassing_etl" login bypassrls;'
    prepared.execute(remedy)
    with connect(prepared.admin_url) as connection:
        initialize(connection, settings)
    with connect(prepared.postgres.url(prepared.name, "bypassing_etl")) as connection:
        row = connection.execute("select count(*) from public.tasks").fetchone()
    assert row == (prepared.value("select count(*) from tasks"),)
