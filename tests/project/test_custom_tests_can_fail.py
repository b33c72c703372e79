"""Every test that this project wrote itself fails on the mistake it is for, and on nothing else.

Each corruption makes a number of wrong rows that no other one makes, so a failure shows whose it is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support.reports.corruptions import CORRUPTED_REPORTS, Corruption
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT

LOADED = ("fact_tasks", "dim_tasks", "fact_cases", "dim_cases", "fact_wellbeing_checkins", "dim_persons")


# What is changed is compared by no other test, or is changed alike on both sides of the comparison.
CORRUPTIONS = {
    "in_enum": Corruption(
        "in_enum_dim_tasks_category",
        2,
        """
        with chosen as (select task_id, row_number() over (order by task_id) as number from insights.dim_tasks)
        update insights.dim_tasks as wrong set category = case when number % 2 = 0 then 'question' else 'Incident' end
        from chosen where wrong.task_id = chosen.task_id and number <= 6;
        """,
    ),
    "unique_grain": Corruption(
        "unique_grain_bridge_entity_labels",
        3,
        """
        do $$ declare name text; begin
            select conname into name from pg_constraint
            where conrelid = 'insights.bridge_entity_labels'::regclass and contype = 'p';
            execute format('alter table insights.bridge_entity_labels drop constraint %I', name);
        end $$;
        insert into insights.bridge_entity_labels
        select * from insights.bridge_entity_labels order by entity_type, entity_id, label_id limit 3;
        """,
    ),
    "rows_add_up": Corruption(
        "rows_add_up_fact_wellbeing_checkins",
        4,
        """
        delete from insights.fact_wellbeing_checkins where checkin_id in (
            select checkin_id from insights.fact_wellbeing_checkins order by checkin_id limit 4
        );
        """,
    ),
    "ranks_are_counted": Corruption(
        "ranks_are_counted_tokens",
        1,
        "update insights.tokens set rank = 9 where (enum, token) = ('environment', 'offline');",
    ),
    "means_a_token": Corruption(
        "means_a_token_historical_tokens",
        16,
        """
        insert into insights.historical_tokens (enum, historical_token, token)
        select 'environment', 'former ' || number, 'nowhere' from generate_series(1, 16) as number;
        """,
    ),
    "assert_fact_tasks_recounts": Corruption(
        "assert_fact_tasks_recounts",
        5,
        """
        create temporary table uncounted as
        select
            task_id,
            case
                when comment_count > 0 then 'comment'
                when escalation_count > 0 then 'escalation'
                else 'event'
            end as kind,
            row_number() over (partition by comment_count > 0, escalation_count > 0 order by task_id) as number
        from insights.fact_tasks
        where created_date_key between '2025-03-01' and '2025-03-31' and (comment_count = 0 or escalation_count = 0);
        update insights.fact_tasks as wrong set
            event_count = event_count - (kind = 'event')::int,
            escalation_count = escalation_count - (kind = 'escalation')::int,
            comment_count = comment_count - (kind = 'comment')::int
        from uncounted
        where wrong.task_id = uncounted.task_id and number <= case kind when 'comment' then 1 else 2 end;
        """,
    ),
    "assert_task_cases_are_known": Corruption(
        "assert_task_cases_are_known",
        6,
        # The source changed the case since the load, so rows_add_up leaves it to the next one.
        """
        create temporary table lost as
        select case_id from insights.fact_cases as cases
        where status = 'in_progress' and linked_task_count = 6 and visibility in ('PUBLIC', 'INTERNAL')
            and 6 = (select count(*) from insights.dim_tasks where dim_tasks.case_id = cases.case_id)
        order by case_id limit 1;
        delete from insights.fact_cases where case_id in (select case_id from lost);
        delete from insights.dim_cases where case_id in (select case_id from lost);
        delete from insights_personal.personal_cases where case_id in (select case_id from lost);
        update public.cases set updated_at = '2026-03-01' where id in (select case_id from lost);
        """,
    ),
    "assert_closed_means_closed": Corruption(
        "assert_closed_means_closed",
        7,
        """
        create temporary table kinds as
        select
            task_id,
            case
                when closed_date_key is null then 'open'
                when closed_date_key > created_date_key then 'later'
                else 'same day'
            end as kind,
            row_number() over (
                partition by closed_date_key is null, closed_date_key > created_date_key order by task_id
            ) as number
        from insights.fact_tasks
        where (time_to_completion_seconds is not null or closed_date_key is null) and created_date_key < '2025-06-01';
        update insights.fact_tasks as wrong set
            closed_date_key = case
                when kind = 'open' and number = 1 then created_date_key
                when kind = 'same day' and number = 1 then null
                when kind = 'same day' and number = 2 then created_date_key - 1
                else closed_date_key
            end,
            time_to_completion_seconds = case
                when kind = 'open' and number = 2 then 5
                when kind = 'later' and number = 1 then null
                when kind = 'same day' and number = 1 then null
                else time_to_completion_seconds
            end
        from kinds where wrong.task_id = kinds.task_id and number <= 2;
        with chosen as (
            select case_id, row_number() over (order by case_id) as number
            from insights.fact_cases where status = 'resolved'
        )
        update insights.fact_cases as wrong set closed_date_key = case when number = 1 then opened_date_key - 1 end
        from chosen where wrong.case_id = chosen.case_id and number <= 2;
        """,
    ),
    "assert_facts_match_dimensions": Corruption(
        "assert_facts_match_dimensions",
        8,
        """
        update insights.fact_tasks set priority = case priority when 'LOW' then 'HIGH' else 'LOW' end
        where task_id in (select task_id from insights.fact_tasks order by task_id limit 5);
        update insights.dim_cases set severity = case severity when 'MINOR' then 'MAJOR' else 'MINOR' end
        where case_id in (select case_id from insights.dim_cases where status = 'archived' order by case_id limit 3);
        """,
    ),
    "assert_gone_persons_are_nameless": Corruption(
        "assert_gone_persons_are_nameless",
        9,
        """
        update insights.dim_persons set is_gone = true
        where person_id in (select person_id from insights_personal.personal_persons order by person_id limit 9);
        """,
    ),
    "assert_sensitive_persons_are_protected": Corruption(
        "assert_sensitive_persons_are_protected",
        10,
        """
        create temporary table sensitive as
        select tasks.id as task_id, tasks.case_id, count(*) over (partition by tasks.case_id) as tasks_of_case
        from public.tasks as tasks
        inner join insights.dim_persons as persons on tasks.requester_person_id = persons.person_id
        inner join insights.fact_tasks as facts on tasks.id = facts.task_id
        where persons.confidentiality_level <> 'normal';
        create temporary table exposed as
        (select task_id as key from sensitive where case_id is null order by task_id limit 5)
        union all
        (select case_id as key from sensitive where tasks_of_case = 1 order by case_id limit 2)
        union all
        (select checkin_id as key from insights.fact_wellbeing_checkins order by checkin_id desc limit 3);
        update insights.fact_tasks set visibility = 'INTERNAL' where task_id in (select key from exposed);
        update insights.dim_tasks set visibility = 'INTERNAL' where task_id in (select key from exposed);
        update insights.fact_cases set visibility = 'PUBLIC' where case_id in (select key from exposed);
        update insights.dim_cases set visibility = 'PUBLIC' where case_id in (select key from exposed);
        update insights.fact_wellbeing_checkins set visibility = 'PUBLIC' where checkin_id in (select key from exposed);
        """,
    ),
    "assert_task_events_add_up": Corruption(
        "assert_task_events_add_up",
        11,
        """
        insert into public.task_events (id, task_id, organization_id, event_type, created_at)
        select gen_random_uuid(), gen_random_uuid(), organization_id, 'created', '2025-03-10'
        from insights.dim_organizations cross join generate_series(1, 11)
        order by organization_id limit 11;
        """,
    ),
    **CORRUPTED_REPORTS,
}


def test_every_custom_test_is_proven() -> None:
    files = [file for file in (PROJECT / "tests").rglob("*.sql") if "orchestration" not in file.parts]
    generic = {name for file in files for name in re.findall(r"{%-?\s*test\s+(\w+)\s*\(", file.read_text("utf-8"))}
    singular = {file.stem for file in files if file.parent.name != "generic"}
    assert generic | singular == set(CORRUPTIONS)


def test_corruptions_can_be_distinguished() -> None:
    assert len({corruption.rows for corruption in CORRUPTIONS.values()}) == len(CORRUPTIONS)


@pytest.mark.services
def test_custom_tests_pass_on_the_clean_sample(built: Warehouse) -> None:
    custom = [f"test_name:{name}" for name in CORRUPTIONS if not name.startswith("assert_")]
    assert _failures(built, "test_type:singular", *custom) == {}


# As if the next load had written every row, analyzed the moments of writing, and looked at the whole source.
WRITTEN = """
    insert into insights_ops.load_log
    (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
    select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    from insights_ops.load_log;
"""


@pytest.mark.services
@pytest.mark.parametrize("recounts", [True, False], ids=["over all rows", "over written rows"])
def test_each_custom_test_fails_on_its_own_corruption_and_no_other_does(built: Warehouse, *, recounts: bool) -> None:
    if not recounts:
        assert _failures(built, "test_type:data") == {}
        touched = "update insights.{0} set loaded_at = now(); analyze insights.{0} (loaded_at);"
        built.execute(WRITTEN + "".join(touched.format(name) for name in LOADED))
    built.execute("".join(corruption.statements for corruption in CORRUPTIONS.values()))

    found = _failures(built, "test_type:data", recounts=recounts)

    expected = {name: corruption.rows for name, corruption in CORRUPTIONS.items()}
    assert {_custom_test(instance): rows for instance, rows in found.items()} == expected
    assert len(found) == len(expected), f"one corruption, one failing test: {sorted(found)}"


def _failures(warehouse: Warehouse, *selection: str, recounts: bool = True) -> dict[str, int]:
    """Return the selected data tests that fail, with the number of wrong rows."""
    result = warehouse.build("--select", *selection, "--write-json", command="test", recounts=recounts)
    written = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "run_results.json").read_text("utf-8"))["results"]
    tests = [r for r in written if r["unique_id"].startswith("test.")]
    assert len(tests) > len(CORRUPTIONS), result.output
    assert not [r["unique_id"] for r in tests if r["status"] not in ("pass", "fail")], result.output
    return {r["unique_id"].split(".")[2]: r["failures"] for r in tests if r["status"] == "fail"}


def _custom_test(instance: str) -> str:
    """Return the custom test whose corruption this instance should find, else the instance's own name."""
    for name, corruption in CORRUPTIONS.items():
        if instance.startswith(corruption.instance):
            return name
    return instance
