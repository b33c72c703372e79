"""A load compares the source with what is stored only where old rows came or went since (decision D256)."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from dataclasses import replace

import pytest
from support.small_scenario import NEXT_DAY
from support.source.looks import look, unchanged
from support.warehouse import Warehouse

from orchestration.warehouse.source.fingerprints import COMPARED, KEPT
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services


def stored(warehouse: Warehouse, table: str) -> list[tuple[int, int]]:
    query = (
        "select claim_number, unchanged_since from insights_ops.source_fingerprints where table_name = %s order by 1"
    )
    return warehouse.rows(query, table)


def test_old_rows_that_come_or_go_are_seen_and_young_ones_are_not(prepared: Warehouse) -> None:
    look(prepared, 1)
    look(prepared, 2)
    assert unchanged(prepared) == set(COMPARED)
    # 15 minutes are a 24th of the overlap of six hours.
    event_at = (
        "insert into task_events (id, task_id, organization_id, event_type, created_at)"
        " select gen_random_uuid(), id, organization_id, 'created', '{}+00' from tasks order by id limit 1"
    )
    prepared.execute(event_at.format("2025-12-31 23:45"))
    look(prepared, 3)
    assert unchanged(prepared) == set(COMPARED)
    prepared.execute(event_at.format("2025-12-31 23:44:59"))
    look(prepared, 4)
    assert unchanged(prepared) == set(COMPARED) - {"task_events"}
    look(prepared, 5)
    assert unchanged(prepared) == set(COMPARED)
    # One comment goes, another comes: there are as many as before.
    prepared.execute(
        "update task_comments set id = gen_random_uuid() where id = (select id from task_comments order by id limit 1)"
    )
    look(prepared, 6)
    assert unchanged(prepared) == set(COMPARED) - {"task_comments"}
    # Two events exchange their tasks.
    prepared.execute(
        "with two as (select id, task_id, lead(task_id) over in_order as next, lag(task_id) over in_order as last"
        " from (select * from task_events order by id limit 2) as e window in_order as (order by id))"
        " update task_events as e set task_id = coalesce(next, last) from two where e.id = two.id"
    )
    look(prepared, 7)
    assert unchanged(prepared) == set(COMPARED) - {"task_events"}
    # Of organizations, the newest one counts too.
    prepared.execute(
        "insert into organizations (id, slug, display_name, timezone) values (gen_random_uuid(), 'new', 'New', 'UTC')"
    )
    look(prepared, 8)
    assert unchanged(prepared) == set(COMPARED) - {"organizations"}


def test_what_a_load_wrote_before_it_looked_again_has_not_read_what_came_in_between(prepared: Warehouse) -> None:
    look(prepared, 7)
    prepared.execute("delete from task_events where id = (select id from task_events order by id limit 1)")
    look(prepared, 7)
    assert stored(prepared, "task_events") == [(7, 8)]
    look(prepared, 9)
    assert stored(prepared, "task_events") == [(7, 8), (9, 8)]
    assert stored(prepared, "tasks") == [(7, 7), (9, 7)]


def test_an_older_day_does_not_take_the_moment_back(prepared: Warehouse) -> None:
    look(prepared, 1, NEXT_DAY)
    look(prepared, 2, SAMPLE_AS_OF)
    moments = "select distinct counted_until::text from insights_ops.source_fingerprints"
    assert prepared.rows(moments) == [("2026-01-01 23:45:00+00",)]


def test_a_clock_that_was_ahead_leaves_no_moment_in_the_future(prepared: Warehouse) -> None:
    look(prepared, 1)
    prepared.execute("update insights_ops.source_fingerprints set counted_until = now() + interval '1 year'")
    look(prepared, 2)
    query = "select distinct counted_until::text from insights_ops.source_fingerprints where claim_number = 2"
    assert prepared.rows(query) == [("2025-12-31 23:45:00+00",)]


def test_other_rules_compare_everything_anew(prepared: Warehouse) -> None:
    settings = prepared.settings
    look(prepared, 1)
    etl = settings.insights.etl.model_copy(update={"swap_attempts": settings.insights.etl.swap_attempts + 1})
    look(prepared, 2, settings=replace(settings, insights=settings.insights.model_copy(update={"etl": etl})))
    assert unchanged(prepared) == set()


def test_a_table_whose_ids_or_dates_have_drifted_has_no_fingerprint(prepared: Warehouse) -> None:
    prepared.execute(
        "alter table task_comments drop constraint task_comments_pkey, alter column id type text;"
        "alter table task_events alter column created_at drop default, alter column created_at type text"
    )
    look(prepared, 1)
    found = prepared.rows("select table_name from insights_ops.source_fingerprints order by 1")
    assert {name for (name,) in found} == set(COMPARED) - {"task_comments", "task_events"}


def test_fingerprints_of_long_ago_are_forgotten(prepared: Warehouse) -> None:
    prepared.execute(
        "insert into insights_ops.source_fingerprints"
        " (table_name, claim_number, counted_until, id_sum, rules, unchanged_since)"
        f" select 'tasks', n, '2025-01-01', 0, '', n from generate_series(1, {KEPT + 5}) as n"
    )
    look(prepared, KEPT + 6)
    assert [claim for claim, _ in stored(prepared, "tasks")] == list(range(7, KEPT + 7))
