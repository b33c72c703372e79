"""Every kind of value that a column of the source contract can hold, in one database: no row stops another's load."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner
from support.hostile.rows import HostileRow, hostile_rows, insertions, relaxed_schema
from support.hostile.values import INTEGERS, MOMENTS, TEXTS, UUIDS
from support.warehouse import DbtResult, Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

# The facts: operational table and key.
FACTS = {
    "fact_tasks": ("tasks", "task_id"),
    "fact_cases": ("cases", "case_id"),
    "fact_wellbeing_checkins": ("wellbeing_checkins", "checkin_id"),
}
NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
OF_BOOKKEEPING = ("insights_ops.rejects", "insights_ops.data_quality", "insights_ops.review_requests")
WRITING_TIMES = ["loaded_at", "requested_at"]


@dataclass(frozen=True)
class Hostile:
    """The sample with hostile rows after two builds, and the sample without them."""

    warehouse: Warehouse
    sample: Warehouse
    rows: list[HostileRow]
    results: tuple[DbtResult, DbtResult]

    def kinds(self, ids: Iterable[UUID]) -> dict[str, set[str]]:
        """The kinds of value of these hostile rows by their column; other rows are left out."""
        found: dict[str, set[str]] = defaultdict(set)
        by_id = {row.id: row for row in self.rows}
        for row in (by_id[id_] for id_ in ids if id_ in by_id):
            found[f"{row.table}.{row.column}"].add(row.kind)
        return dict(found)

    def ids(self, query: str, *parameters: object) -> Iterator[UUID]:
        """The ids that a query finds."""
        return (id_ for (id_,) in self.warehouse.rows(query, *parameters))


@pytest.fixture(scope="module")
def hostile(postgres: LocalPostgres, settings: Settings, prepared_sample: str, built_sample: str) -> Hostile:
    warehouse = Warehouse.copy_of(prepared_sample, "hostile", postgres, settings)
    rows = hostile_rows()
    warehouse.execute(relaxed_schema())
    warehouse.execute("".join(insertions(rows)))
    results = (warehouse.build("--exclude-resource-type", "unit_test"), warehouse.build(*NO_TESTS))
    return Hostile(warehouse, Warehouse.copy_of(built_sample, "without_hostile", postgres, settings), rows, results)


def test_the_build_and_the_next_succeed_with_every_data_test(hostile: Hostile) -> None:
    for result in hostile.results:
        assert result.succeeded, result.output


@pytest.mark.parametrize("fact", FACTS)
def test_every_source_row_is_loaded_rejected_or_outside_the_load(
    hostile: Hostile, settings: Settings, fact: str
) -> None:
    table, key = FACTS[fact]
    horizon = f"'{SAMPLE_AS_OF} 00:00+00'"
    days = timedelta(days=settings.insights.retention.raw_event_retention_days.dev)
    cutoff = f"'{SAMPLE_AS_OF - days} 00:00+00'"
    rejects = f"select source_id from insights_ops.rejects where source_table = '{table}' and resolved_at is null"
    source, loaded, rejected, outside, both = hostile.warehouse.rows(
        f"""
        select
            (select count(*) from {table}),
            (select count(*) from insights.{fact}),
            (select count(*) from ({rejects}) as rejects),
            (
                select count(*) from {table}
                where id not in ({rejects}) and (created_at < {cutoff} or created_at >= {horizon})
            ),
            (select count(*) from insights.{fact} where {key} in ({rejects}))
        """
    )[0]
    assert (source, both) == (loaded + rejected + outside, 0)
    assert rejected > 0
    assert outside > 0


# The dimensions that hold every row of their table that is not rejected.
DIMENSIONS = {
    "dim_organizations": ("organizations", "organization_id"),
    "dim_learning_groups": ("learning_groups", "learning_group_id"),
    "dim_roles": ("roles", "role_id"),
    "dim_labels": ("label_definitions", "label_id"),
}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_row_of_a_dimension_is_loaded_or_rejected(hostile: Hostile, dimension: str) -> None:
    table, key = DIMENSIONS[dimension]
    rejected = f"select source_id from insights_ops.rejects where source_table = '{table}' and resolved_at is null"
    source = set(hostile.ids(f"select id from {table}"))
    loaded = set(hostile.ids(f"select {key} from insights.{dimension}"))
    refused = set(hostile.ids(rejected))
    assert (source, loaded & refused) == (loaded | refused, set())
    assert source & {row.id for row in hostile.rows}


def test_every_person_is_loaded_or_rejected(hostile: Hostile) -> None:
    source = set(hostile.ids("select id from person_profiles"))
    named = set(hostile.ids("select person_id from insights.dim_persons where not is_gone"))
    # A rejected person to whom a row refers is there without a name, as a deleted one is.
    rejected = set(hostile.ids("select source_id from insights_ops.rejects where source_table = 'person_profiles'"))
    assert (source, named & rejected) == (named | rejected, set())


def test_every_event_is_counted_rejected_or_of_a_task_that_is_not_loaded(hostile: Hostile) -> None:
    counted = "select sum(event_count)::int from insights.fact_tasks"
    expected = f"""
        select count(*)::int from task_events as events
        inner join insights.fact_tasks as tasks
            on events.task_id = tasks.task_id and events.organization_id = tasks.organization_id
        where events.created_at < '{SAMPLE_AS_OF} 00:00+00' and events.id not in (
            select source_id from insights_ops.rejects where source_table = 'task_events' and resolved_at is null
        )
    """
    assert hostile.warehouse.value(counted) == hostile.warehouse.value(expected) > 0


# What is rejected of each column that can be the reason; of all others, nothing.
NOT_A_TOKEN = TEXTS.keys() - {"upper_case", "lower_case", "padded"}
NOT_A_DATE = MOMENTS.keys() - {"calendar_begins", "calendar_ends", "long_ago", "years_ahead"}
REJECTED = {
    **{f"tasks.{column}": NOT_A_TOKEN for column in ("status", "priority", "severity", "category", "source")},
    **{f"cases.{column}": NOT_A_TOKEN for column in ("status", "severity", "source_type")},
    "task_events.event_type": NOT_A_TOKEN,
    "task_events.organization_id": {"null", "unknown", "nil", "largest"},
    "entity_labels.entity_type": NOT_A_TOKEN,
    **{f"{table}.created_at": NOT_A_DATE for table in ("tasks", "cases", "task_events", "wellbeing_checkins")},
    "tasks.closed_at": NOT_A_DATE - {"null"},
    # A change before the creation counts as made at the creation.
    **{f"{table}.updated_at": {"infinity", "last", "after_the_calendar"} for table in ("tasks", "cases")},
    **{
        f"{table}.organization_id": set(UUIDS)
        for table in ("tasks", "cases", "wellbeing_checkins", "person_profiles", "learning_groups", "entity_labels")
    },
    # Without an organization, a role or label is a default of all.
    **{f"{table}.organization_id": UUIDS.keys() - {"null"} for table in ("roles", "label_definitions")},
    "task_events.task_id": set(UUIDS),
    "wellbeing_checkins.score": set(INTEGERS),
    "entity_labels.label_id": set(UUIDS),
    "entity_labels.entity_id": {"null"},
    "entity_labels.applied_at": {"null"},
}


def test_exactly_what_cannot_be_counted_is_rejected(hostile: Hostile) -> None:
    rejected = hostile.kinds(hostile.ids("select source_id from insights_ops.rejects where resolved_at is null"))
    assert rejected == REJECTED


UNKNOWN_LABELS = TEXTS.keys() - {"upper_case", "lower_case", "padded"}
FLAGGED = {
    "label_unparsable": {"tasks.label": UNKNOWN_LABELS, "cases.label": UNKNOWN_LABELS},
    "type_too_long": {"tasks.type": {"long", "long_of_four_bytes"}},
    "deadline_out_of_range": {
        "tasks.reactivity_deadline_at": NOT_A_DATE - {"null"},
        "cases.reactivity_time": {
            *("years", "minus_years", "most_months", "fewest_months", "most_days", "fewest_days", "most_hours"),
            *("fewest_hours", "months_against_days", "days_against_months", "everything", "beyond_the_calendar"),
            "before_the_calendar",
        },
    },
}


@pytest.mark.parametrize("flag", FLAGGED)
def test_a_row_with_a_limited_value_is_flagged(hostile: Hostile, flag: str) -> None:
    flagged = hostile.ids(
        f"select task_id from insights.dim_tasks where '{flag}' = any(quality_flags)"
        f" union all select case_id from insights.dim_cases where '{flag}' = any(quality_flags)"
    )
    assert hostile.kinds(flagged) == FLAGGED[flag]


def test_the_numbers_of_the_other_organizations_are_as_without_hostile_rows(hostile: Hostile) -> None:
    organizations = [id_ for (id_,) in hostile.sample.rows("select organization_id from insights.dim_organizations")]
    marts = hostile.sample.rows(
        "select 'insights.' || relname from pg_attribute inner join pg_class on attrelid = pg_class.oid"
        " where attname = 'organization_id' and relnamespace = 'insights'::regnamespace and relkind in ('r', 'm')"
    )
    assert len(marts) > 15
    for relation in (*(name for (name,) in marts), *OF_BOOKKEEPING):
        contents = (
            f"select (to_jsonb(stored) - %s::text[])::text from {relation} as stored"
            " where organization_id = any(%s) order by 1"
        )
        here, there = (w.rows(contents, WRITING_TIMES, organizations) for w in (hostile.warehouse, hostile.sample))
        assert there, relation
        assert here == there, relation


def test_no_value_moves_the_cursor_or_fills_a_screen(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", hostile.warehouse.etl_url)
    patterns = hostile.warehouse.rows(
        "select pattern_id::text from insights.pattern_weekly as patterns"
        " inner join insights.dim_organizations as organizations"
        " on patterns.organization_id = organizations.organization_id and slug = 'hostile'"
        " where length(label) > 1000 or length(domain) > 1000 or length(location) > 1000 or label ~ '[^ -~]'"
    )
    assert len(patterns) > 10
    commands_to_run = [["status"], ["patterns", "list"], *(["patterns", "explain", id_] for (id_,) in patterns)]
    for command in commands_to_run:
        done = CliRunner().invoke(commands, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        lines = done.stdout.split("\n")
        assert all(line.isprintable() for line in lines), command
        assert max(map(len, lines)) <= 1100, command
    dry_run = CliRunner().invoke(commands, ["reviews", "send"], catch_exceptions=False).stdout.split("\n")
    assert all(line.isprintable() for line in dry_run)
