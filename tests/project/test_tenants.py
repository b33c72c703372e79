"""No row of one organization changes a number of another, and a row that moves leaves no twin (decision D130)."""

# ruff: noqa: S608 -- relations and columns are named by the manifest and the tests

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from support.policy import models
from support.warehouse import NO_TESTS, Warehouse

from workshop.sample.load import SAMPLE_AS_OF

# The intruder refers to one row of each kind that belongs to the owner.
INTRUSION = """
    create temp table chosen on commit drop as
    select
        owner.id as owner, intruder.id as intruder,
        (select c.id from cases as c where c.organization_id = owner.id and c.location <> 'null' order by
            (select count(*) from tasks as t where t.case_id = c.id) desc, c.id limit 1) as case_id,
        (select t.id from tasks as t where t.organization_id = owner.id
            order by t.created_at desc, t.id limit 1) as task_id,
        (select w.person_id from wellbeing_checkins as w inner join person_profiles as p on w.person_id = p.id
            where w.organization_id = owner.id and p.linked_user_id is null
            order by w.created_at desc, w.id limit 1) as person_id,
        (select u.id from user_accounts as u where u.organization_id = owner.id order by u.id limit 1) as user_id,
        (select l.label_id from entity_labels as l where l.organization_id = owner.id order by l.id limit 1) as label_id
    from organizations as owner, organizations as intruder
    where owner.slug = '{owner}' and intruder.slug = '{intruder}';

    insert into tasks (id, organization_id, case_id, type, category, label, title, description, status, priority,
        severity, visibility, source, requester_person_id, created_by_user_id, created_at, updated_at)
    select gen_random_uuid(), intruder, case_id, 'intrusion', 'incident', '11.11.HR', 'x', 'x', 'IN_PROGRESS', 'HIGH',
        'CRITICAL', 'ANONYMISED', 'api', person_id, user_id, moment, moment
    from chosen, generate_series(1, 9), cast('2025-12-31 21:00+00' as timestamptz) as moment;

    insert into task_events (id, task_id, organization_id, event_type, created_at)
    select gen_random_uuid(), task_id, intruder, 'escalated', '2025-12-31 21:00+00' from chosen, generate_series(1, 3);

    insert into label_definitions (id, organization_id, code, display_name, description, category)
    select '00000000-0000-0000-0000-0000000000f1', intruder, 'intruded', 'Intruded', 'x', 'risk' from chosen;
    insert into entity_labels (id, organization_id, label_id, entity_type, entity_id, applied_at)
    select gen_random_uuid(), intruder, '00000000-0000-0000-0000-0000000000f1', 'case', c.id, '2025-12-31 21:00+00'
    from chosen, cases as c where c.organization_id = owner;
    -- The owner's labels once more, on the owner's entities.
    insert into entity_labels (id, organization_id, label_id, entity_type, entity_id, applied_at)
    select gen_random_uuid(), intruder, l.label_id, l.entity_type, l.entity_id, '2025-12-31 21:00+00'
    from entity_labels as l, chosen where l.organization_id = owner and l.label_id = chosen.label_id;

    -- A label of the owner on a task of the intruder.
    insert into entity_labels (id, organization_id, label_id, entity_type, entity_id, applied_at)
    select gen_random_uuid(), intruder,
        (select d.id from label_definitions as d where d.organization_id = owner order by d.id limit 1), 'task',
        (select t.id from tasks as t where t.organization_id = intruder order by t.id limit 1), '2025-12-31 21:00+00'
    from chosen;

    insert into wellbeing_checkins
        (id, organization_id, person_id, context, score, related_task_id, created_at, updated_at)
    select gen_random_uuid(), intruder, person_id, 'x', 1, task_id, moment, moment
    from chosen, cast('2025-12-31 21:00+00' as timestamptz) as moment;

    insert into learning_groups (id, organization_id, code, name, category, updated_at)
    select '00000000-0000-0000-0000-0000000000b1', intruder, 'x', 'x', 'course', '2025-12-31 21:00+00' from chosen;
    insert into learning_group_memberships (id, learning_group_id, person_id, role, joined_at, updated_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-0000000000b1', person_id, 'learner', '2020-01-01',
        '2025-12-31 21:00+00'
    from chosen;
"""
OWNER, INTRUDER = "sample-hospital", "sample-stores"
OF_OWNER = f"(select id from organizations where slug = '{OWNER}')"
OF_INTRUDER = f"(select id from organizations where slug = '{INTRUDER}')"
# The labels that the intruder put on anything; one that was put on twice counts once.
LABELS = (
    "select count(*) from (select distinct label_id, entity_type, entity_id from entity_labels"
    f" where organization_id = {OF_INTRUDER}"
)
FOREIGN = ["case_of_another_organization"]
# The ids that move to another organization.
MOVING = {
    "tasks": ("dim_tasks", "fact_tasks"),
    "cases": ("dim_cases", "fact_cases"),
    "person_profiles": ("dim_persons",),
    "learning_groups": ("dim_learning_groups",),
    "wellbeing_checkins": ("fact_wellbeing_checkins",),
}
KEYS = {"tasks": "task_id", "cases": "case_id", "person_profiles": "person_id"} | {
    "learning_groups": "learning_group_id",
    "wellbeing_checkins": "checkin_id",
}


def test_an_intruder_changes_no_row_of_another_organization(built: Warehouse) -> None:
    before = _rows_of_others(built)
    built.execute(INTRUSION.format(owner=OWNER, intruder=INTRUDER))
    _build(built)
    for relation, rows in _rows_of_others(built).items():
        assert rows == before[relation], relation
    assert sum(map(len, before.values())) > 10_000

    # Of the intruder, 9 tasks are loaded without the case and flagged; the requester makes them RESTRICTED at least.
    loaded = built.rows(
        "select case_id, visibility, quality_flags, count(*) from insights.dim_tasks where type = 'intrusion'"
        " group by 1, 2, 3"
    )
    flags = ["case_of_another_organization", "requester_of_another_organization", "creator_of_another_organization"]
    assert loaded == [(None, "ANONYMISED", flags, 9)]
    assert built.rows(
        f"select person_id, related_task_id, visibility, quality_flags from insights.fact_wellbeing_checkins"
        f" where organization_id = {OF_INTRUDER} and score = 1 and date_key = '2025-12-31'"
    ) == [(None, None, "ANONYMISED", ["person_of_another_organization", "task_of_another_organization"])]
    foreign = built.value(
        f"{LABELS} and label_id in (select id from label_definitions where organization_id <> {OF_INTRUDER})) as labels"
    )
    assert foreign > 0
    findings = dict(
        built.rows(
            "select relation_name || ' ' || finding, row_count from insights_ops.data_quality"
            f" where organization_id = {OF_INTRUDER} and finding like '%another_organization'"
        )
    )
    assert findings == {
        **{f"dim_tasks {flag}": 9 for flag in flags},
        "task_events task_of_another_organization": 3,
        "fact_wellbeing_checkins person_of_another_organization": 1,
        "fact_wellbeing_checkins task_of_another_organization": 1,
        "learning_group_memberships person_of_another_organization": 1,
        "bridge_entity_labels entity_of_another_organization": built.value(
            f"{LABELS} and entity_id in ("
            + " union all ".join(
                f"select {KEYS[table]} from insights.{relations[0]} where organization_id = {OF_OWNER}"
                for table, relations in MOVING.items()
            )
            + ")) as labels"
        ),
        "bridge_entity_labels label_of_another_organization": foreign,
    }


def test_rows_that_move_to_another_organization_leave_no_twin_and_tasks_follow_a_case_that_returns(
    built: Warehouse,
) -> None:
    # Of the cases, the first with a task goes and returns, the next stays away.
    (case, task, flags), (moved_case, *_) = built.rows(
        "select distinct on (case_id) case_id, task_id, quality_flags from insights.dim_tasks"
        f" where case_id is not null and organization_id = {OF_OWNER} order by 1, 2 limit 2"
    )
    moved = {"cases": moved_case} | {table: _first_of_owner(built, table) for table in MOVING if table != "cases"}
    for table, id_ in (*moved.items(), ("cases", case)):
        _move(built, table, id_, INTRUDER, day=1)
    _build(built, "--select", "+path:models/marts/core", *NO_TESTS, days=1)
    for table, relations in MOVING.items():
        for relation in relations:
            slugs = built.rows(
                f"select slug from insights.{relation} inner join insights.dim_organizations using (organization_id)"
                f" where {KEYS[table]} = %s",
                moved[table],
            )
            assert slugs == [(INTRUDER,)], relation
    assert _case_of(built, task) == (None, [*flags, *FOREIGN])
    assert not _has_tasks(built, case)

    _move(built, "cases", case, OWNER, day=2)
    _build(built, days=2)  # with all data tests
    assert _case_of(built, task) == (case, flags)
    assert _has_tasks(built, case)


def _first_of_owner(built: Warehouse, table: str) -> UUID:
    key, relation = KEYS[table], MOVING[table][0]
    id_: UUID = built.value(
        f"select {key} from insights.{relation} where organization_id = {OF_OWNER} order by {key} limit 1"
    )
    return id_


def _move(built: Warehouse, table: str, id_: UUID, slug: str, day: int) -> None:
    built.execute(
        f"update {table} set organization_id = (select id from organizations where slug = '{slug}'),"
        f" updated_at = '2026-01-0{day} 12:00+00' where id = '{id_}'"
    )


def _case_of(built: Warehouse, task: UUID) -> tuple[Any, ...]:
    return built.rows("select case_id, quality_flags from insights.dim_tasks where task_id = %s", task)[0]


def _has_tasks(built: Warehouse, case: UUID) -> bool:
    found: bool = built.value("select linked_task_count > 0 from insights.fact_cases where case_id = %s", case)
    return found


def _build(built: Warehouse, *arguments: str, days: int = 0) -> None:
    result = built.build(*arguments, as_of=SAMPLE_AS_OF + timedelta(days=days))
    assert result.succeeded, result.output[-3000:]


def _rows_of_others(built: Warehouse) -> dict[str, Counter[str]]:
    """The rows of every mart, of the data quality and the rejects that do not belong to the intruder."""
    found = {}
    for model in models("models/marts/") + [
        m for m in models("models/ops/") if m["name"] in ("data_quality", "rejects")
    ]:
        if "organization_id" in model["columns"]:
            relation = f"{model['schema']}.{model['name']}"
            found[relation] = Counter(
                text
                for (text,) in built.rows(
                    f"select cast(to_jsonb(r) - 'loaded_at' as text) from {relation} as r"
                    f" where organization_id is distinct from {OF_INTRUDER}"
                )
            )
    return found


@pytest.mark.parametrize("table", list(MOVING))
def test_every_mart_of_an_id_is_tested_for_a_move(table: str) -> None:
    keyed = {
        m["name"] for m in models("models/marts/core/") if m["config"]["unique_key"] == ["organization_id", KEYS[table]]
    }
    # An organization may have no calendar: tests/calendars moves a task to one with another, and to one without.
    assert keyed - {"fact_task_business_times", "fact_case_business_times"} == set(MOVING[table])
