"""The first build of many check-ins compares each with its person's memberships only, whatever the planner guesses."""

from __future__ import annotations

import re

import pytest
from support.warehouse import NO_TESTS, Warehouse

from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

CHECKINS = 50_000
# Each person is a member of two groups of the organization; without statistics, as after a restore.
ROWS = f"""
    create temporary table members as
    select persons.id as person_id, persons.organization_id, row_number() over () as number
    from person_profiles as persons
    where persons.organization_id in (select organization_id from learning_groups);
    insert into learning_group_memberships (id, learning_group_id, person_id, role, joined_at)
    select gen_random_uuid(), learning_groups.id, members.person_id, 'participant', '2025-01-01 00:00+00'
    from members inner join learning_groups on members.organization_id = learning_groups.organization_id
    on conflict do nothing;
    insert into wellbeing_checkins (id, organization_id, person_id, context, score, created_at, updated_at)
    select
        gen_random_uuid(), members.organization_id, members.person_id, 'routine', 5,
        timestamptz '2025-03-01 00:00+00' + checkins.number * interval '1 minute',
        timestamptz '2025-03-01 00:00+00' + checkins.number * interval '1 minute'
    from generate_series(1, {CHECKINS}) as checkins (number)
    inner join members on members.number = 1 + checkins.number % (select count(*) from members);
    delete from pg_statistic
    where starelid in ('wellbeing_checkins'::regclass, 'learning_group_memberships'::regclass);
    update pg_class set reltuples = -1, relpages = 0
    where oid in ('wellbeing_checkins'::regclass, 'learning_group_memberships'::regclass)
"""  # noqa: S608
EXPLAINED = {
    "session_preload_libraries": "auto_explain",
    '"auto_explain.log_min_duration"': "0",
    '"auto_explain.log_analyze"': "on",
    '"auto_explain.log_timing"': "off",
}


def plan_of_a_build(warehouse: Warehouse) -> str:
    """Build the check-ins and return the plan of the statement that wrote them.

    Not those of dbt's questions to the catalog, where a nested loop is free to be the best plan.
    """
    for name, value in EXPLAINED.items():
        warehouse.execute(f"alter role orgo_insights_etl in database {warehouse.name} set {name} = '{value}'")
    log = warehouse.postgres.socket_dir / "log"
    start = log.stat().st_size
    result = warehouse.build("--select", "+fact_wellbeing_checkins", *NO_TESTS, as_of=SAMPLE_AS_OF)
    assert result.succeeded, result.output
    logged = log.read_bytes()[start:].decode("utf-8", "replace").split(" UTC [")
    writes = re.compile(r'create\s+table \S*"fact_wellbeing_checkins')
    [plan] = [part for part in logged if "plan:" in part and writes.search(part)]
    return plan


def test_the_first_build_compares_no_check_in_with_all_memberships(prepared: Warehouse) -> None:
    prepared.execute(ROWS)
    plan = plan_of_a_build(prepared)
    # One pair for each membership of the person: at most a few for each check-in.
    assert sum(int(rows) for rows in re.findall(r"Rows Removed by Join Filter: (\d+)", plan)) < 20 * CHECKINS
    # PostgreSQL adds this cost to a nested loop that is switched off, and is left where no other join is possible.
    costs = re.findall(r"Nested Loop[^(]*\(cost=(\d+\.\d+)", plan)
    assert costs and min(map(float, costs)) >= 1e10
    loaded = prepared.value("select count(*) from insights.fact_wellbeing_checkins where learning_group_id is null")
    assert loaded >= CHECKINS  # of several open memberships, none is the check-in's
