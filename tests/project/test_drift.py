"""A drifted source builds: each row is kept or rejected with its reason, and nothing falls out of a total."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import pytest
from support import drifted_source
from support.contents import Difference, contents, difference, id_of, row_of
from support.drifted_source import REJECTED
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from workshop.sample.ugly import UGLY
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

NO_TESTS = ("--exclude-resource-type", "test", "unit_test")


@dataclass(frozen=True)
class Drifted:
    """The warehouse of the drifted source, the one of the sample, and which row a kind of drift has touched."""

    warehouse: Warehouse
    sample: Warehouse
    result: DbtResult
    touched: dict[str, UUID]

    def kinds(self, ids: set[UUID]) -> set[str]:
        """Return the kinds of drift of these rows; the id of an untouched row stays as it is."""
        names = {id_: kind for kind, id_ in self.touched.items()}
        return {names.get(id_, str(id_)) for id_ in ids}

    def difference(self, relation: str, *without: str) -> Difference:
        """Compare the drifted warehouse with the sample in all columns except these."""
        return difference(self.warehouse, self.sample, relation, without=without)

    def row(self, columns: str, relation: str, kind: str) -> tuple[object, ...]:
        """Return some columns of the row that a kind of drift changed."""
        key = id_of(relation)
        (row,) = self.warehouse.rows(f"select {columns} from {relation} where {key} = %s", self.touched[kind])
        return row


REFERENCES = "select count(*) from insights_personal.personal_cases where source_keys::text like '%reference:%'"


@pytest.fixture(scope="module")
def drifted(postgres: LocalPostgres, settings: Settings, prepared_sample: str, built_sample: str) -> Drifted:
    warehouse = Warehouse.copy_of(prepared_sample, "drifted", postgres, settings)
    for script in (drifted_source.CHOICE, drifted_source.CONSTRAINTS, drifted_source.SCHEMA, drifted_source.ROWS):
        warehouse.execute(script)
    result = warehouse.build("--exclude-resource-type", "unit_test")
    touched = dict(warehouse.rows("select kind, id from touched"))
    return Drifted(warehouse, Warehouse.copy_of(built_sample, "undrifted", postgres, settings), result, touched)


def _kinds_of(table: str) -> set[str]:
    return {kind for kind, (source_table, _, _) in REJECTED.items() if source_table == table}


def test_the_build_succeeds_with_every_data_test(drifted: Drifted) -> None:
    kinds = (*drifted_source.TASKS, *drifted_source.CASES, *drifted_source.CHECKINS, *drifted_source.PERSONS)
    assert set(drifted.touched) == {*kinds, *drifted_source.EVENTS, "case_unreadable"}
    assert drifted.result.succeeded, drifted.result.output[-2000:]


def test_source_drift_lists_exactly_the_drifted_columns(drifted: Drifted) -> None:
    found = drifted.warehouse.rows(
        "select table_name, column_name, contract_type, actual_type from insights_ops.source_drift"
    )
    assert (len(found), set(found)) == (len(drifted_source.DRIFT), drifted_source.DRIFT)
    drift = dict(drifted.warehouse.rows("select drift, count(*) from insights_ops.source_drift group by drift"))
    missing = sum(1 for *_, actual in drifted_source.DRIFT if actual is None)
    assert drift == {"missing": missing, "other_type": len(drifted_source.DRIFT) - missing}


def test_a_row_that_cannot_be_loaded_is_rejected_with_its_reason_and_value(drifted: Drifted) -> None:
    rows = drifted.warehouse.rows(
        "select touched.kind, source_table, reject_reason, rejected_value from insights_ops.rejects"
        " inner join touched on touched.id = source_id where resolved_at is null"
    )
    assert {kind: (table, reason, value) for kind, table, reason, value in rows} == REJECTED
    # The sample's own: docs/sample.md.
    others = drifted.warehouse.value(
        "select count(*) from insights_ops.rejects where source_id not in (select id from touched)"
    )
    assert others == 5 + 5 + 5 + 4 + 25


def _protected(drifted: Drifted, table: str, key: str) -> set[UUID]:
    """Return the rows that become RESTRICTED because a person of unknown confidentiality counts as sensitive."""
    people = [drifted.touched[kind] for kind in drifted_source.PERSONS]
    query = f"""
        select loaded.{key} from insights.{table} as loaded
        inner join tasks on loaded.{key} = tasks.{"id" if key == "task_id" else "case_id"}
        where tasks.requester_person_id = any(%s) and loaded.visibility in ('PUBLIC', 'INTERNAL')
    """
    return {id_ for (id_,) in drifted.sample.rows(query, people)}


def _about(drifted: Drifted) -> set[UUID]:
    """Return all tasks about these people: `dim_tasks` says that they are, whatever visibility they had."""
    query = "select task_id from insights.dim_tasks join tasks on task_id = id where requester_person_id = any(%s)"
    people = [drifted.touched[kind] for kind in drifted_source.PERSONS]
    return {id_ for (id_,) in drifted.sample.rows(query, people)}


def test_every_task_is_loaded_as_before_or_differs_as_its_drift_says(drifted: Drifted) -> None:
    protected = _protected(drifted, "fact_tasks", "task_id")
    assert protected
    task_of = "select task_id from task_events where id = any(%s)"
    events = [drifted.touched[kind] for kind in ("event_type_unknown", "event_created_missing")]
    less_by_an_event = {id_ for (id_,) in drifted.warehouse.rows(task_of, events)}
    for relation, differing in {
        "insights.dim_tasks": {"closed_unreadable", "visibility_missing", "label_missing", "case_unreadable"},
        "insights.fact_tasks": {"visibility_missing"},
    }.items():
        found = drifted.difference(relation)
        assert found.only_first == set()
        assert drifted.kinds(found.only_second) == _kinds_of("tasks")
        also = protected | less_by_an_event if relation == "insights.fact_tasks" else protected | _about(drifted)
        assert also <= found.unequal
        assert drifted.kinds(found.unequal - also) == differing


def test_an_unreadable_value_is_null_or_flagged(drifted: Drifted) -> None:
    flags = "closed_at is not null, visibility, label, case_id::text, quality_flags"
    assert [
        drifted.row(flags, "insights.dim_tasks", kind)[:2] for kind in ("closed_unreadable", "visibility_missing")
    ] == [
        (True, "INTERNAL"),  # inferred from its event
        (True, "RESTRICTED"),
    ]
    assert drifted.row("quality_flags", "insights.dim_tasks", "closed_unreadable") == (["closed_at_inferred"],)
    assert drifted.row("quality_flags", "insights.dim_tasks", "visibility_missing") == (["visibility_unknown"],)
    assert drifted.row("label, is_label_valid, label_base", "insights.dim_tasks", "label_missing") == ("", False, None)
    assert drifted.row("case_id", "insights.dim_tasks", "case_unreadable") == (None,)
    assert drifted.row("origin_vertical_level", "insights.dim_cases", "level_word") == (None,)
    assert drifted.row("quality_flags", "insights.dim_cases", "metadata_number") == (["metadata_unreadable"],)
    broken = drifted.row("visibility, quality_flags", "insights.dim_cases", "metadata_broken")
    assert broken == ("RESTRICTED", ["visibility_unknown", "metadata_unreadable"])
    assert drifted.row("tags, score > 0", "insights.fact_wellbeing_checkins", "tags_broken") == (None, True)
    for kind in drifted_source.PERSONS:
        assert drifted.row("confidentiality_level", "insights.dim_persons", kind) == ("sensitive",)


def test_every_case_is_loaded_as_before_or_differs_as_its_drift_says(drifted: Drifted) -> None:
    protected = _protected(drifted, "fact_cases", "case_id")
    # Cases whose number of tasks or whose strictest task has changed.
    without_task = "select case_id from tasks where id = %s"
    lost_a_task = {id_ for (id_,) in drifted.sample.rows(without_task, drifted.touched["case_unreadable"])}
    # Of the columns reactivity_time and source_reference, which are gone, come a deadline and a source.
    found = drifted.difference("insights.dim_cases", "deadline_at")
    assert drifted.warehouse.value("select count(deadline_at) from insights.dim_cases") == 0
    assert drifted.warehouse.value(REFERENCES) == 0 < drifted.sample.value(REFERENCES)
    assert found.only_first == set()
    assert drifted.kinds(found.only_second) == _kinds_of("cases")
    assert drifted.kinds(found.unequal - protected) == {"metadata_broken", "metadata_number", "level_word"}
    found = drifted.difference("insights.fact_cases")
    assert drifted.kinds(found.only_second) == _kinds_of("cases")
    assert lost_a_task <= found.unequal
    assert drifted.kinds(found.unequal - protected - lost_a_task) <= {"metadata_broken"}


def test_every_checkin_person_and_group_is_loaded_as_before_or_differs_as_its_drift_says(drifted: Drifted) -> None:
    for relation, gone, differing in (
        ("insights.fact_wellbeing_checkins", _kinds_of("wellbeing_checkins"), {"tags_broken"}),
        ("insights.dim_persons", set(), set(drifted_source.PERSONS)),
        ("insights.dim_learning_groups", set(), set()),
    ):
        found = drifted.difference(relation)
        assert (found.only_first, drifted.kinds(found.only_second)) == (set(), gone)
        # A check-in with a task whose case cannot be read has no case.
        other_case = "select checkin_id from insights.fact_wellbeing_checkins where related_task_id = %s"
        also = {id_ for (id_,) in drifted.warehouse.rows(other_case, drifted.touched["case_unreadable"])}
        assert drifted.kinds(found.unequal - also) == differing


def test_dimensions_that_are_rebuilt_hold_the_same_rows(drifted: Drifted) -> None:
    statuses = "select count(*), min(status), max(status) from insights.dim_organizations"
    assert drifted.warehouse.rows(statuses) == drifted.sample.rows(statuses) == [(4, "active", "archived")]
    for name in ("dim_roles", "dim_labels", "bridge_entity_labels"):
        relation = f"insights.{name}"
        missing = {"dim_roles": "description", "dim_labels": "color_hint"}.get(name, "")
        here, there = (
            contents(warehouse, relation, row_of(relation), without=(missing,))
            for warehouse in (drifted.warehouse, drifted.sample)
        )
        assert sorted(here.values()) == sorted(there.values())


@pytest.mark.parametrize("which", ["drifted", "sample"])
def test_nothing_falls_out_of_a_total(drifted: Drifted, which: str) -> None:
    warehouse = drifted.warehouse if which == "drifted" else drifted.sample
    in_time = "created_at >= '2024-01-02 00:00+00' and created_at < '2026-01-01 00:00+00'"
    for table, relation in (("tasks", "tasks"), ("cases", "cases"), ("wellbeing_checkins", "wellbeing_checkins")):
        rejected = warehouse.rows("select source_id from insights_ops.rejects where source_table = %s", table)
        ids = [id_ for (id_,) in rejected]
        in_source = warehouse.value(f"select count(*) from {table} where {in_time} and not id = any(%s)", ids)
        loaded = warehouse.value(f"select count(*) from insights.fact_{relation}")
        everything = warehouse.value(f"select count(*) from {table} where id = any(%s) or {in_time}", ids)
        assert loaded == in_source
        assert loaded + len(ids) == everything
    for relation in ("tasks", "cases"):
        by_validity = warehouse.rows(
            f"select is_label_valid, count(*) from insights.dim_{relation} group by is_label_valid"
        )
        by_base = warehouse.rows(f"select label_base, count(*) from insights.dim_{relation} group by label_base")
        total = warehouse.value(f"select count(*) from insights.fact_{relation}")
        assert sum(n for _, n in by_validity) == sum(n for _, n in by_base) == total
        assert dict(by_validity)[False] == dict(by_base)[None]


# docs/sample.md; every task and case of these kinds lies within retention and before as_of.
UGLY_ROWS = {
    ("dim_tasks", "label_unparsable"): UGLY["task_label_unparsable"],
    ("dim_tasks", "visibility_unknown"): UGLY["task_visibility_unknown"],
    ("dim_tasks", "closed_before_created"): UGLY["task_closed_before_created"],
    ("dim_tasks", "closed_at_on_open_status"): UGLY["task_closed_at_on_open_status"],
    ("dim_tasks", "closed_at_inferred"): UGLY["task_terminal_without_closed_at"],
    ("dim_cases", "label_unparsable"): UGLY["case_label_unparsable"],
    ("dim_cases", "metadata_missing"): UGLY["case_metadata_null"],
    ("dim_cases", "visibility_unknown"): UGLY["case_visibility_unknown"],
    ("dim_organizations", "timezone_missing"): UGLY["organization_timezone_null"],
    ("tasks", "unknown_status"): UGLY["task_status_unknown"],
    ("tasks", "unknown_priority"): UGLY["task_priority_unknown"],
    ("tasks", "unknown_severity"): UGLY["task_severity_unknown"],
    ("tasks", "unknown_source"): UGLY["task_source_unknown"],
    ("task_events", "unknown_task"): UGLY["event_of_unknown_task"],
}


def test_the_report_counts_every_ugly_row_of_the_sample(drifted: Drifted) -> None:
    rows = drifted.sample.rows(
        "select relation_name, finding, sum(row_count)::int from insights_ops.data_quality group by 1, 2"
    )
    assert {(relation, finding): count for relation, finding, count in rows} == UGLY_ROWS


def test_historical_tokens_are_mapped_and_padded_labels_parse(drifted: Drifted) -> None:
    rows = drifted.sample.rows(
        "select tasks.severity, tasks.source, dims.severity, dims.source from tasks"
        " inner join insights.dim_tasks as dims on dims.task_id = tasks.id"
    )
    mapped = Counter(
        (old, new)
        for *olds, new_severity, new_source in rows
        for old, new in zip(olds, (new_severity, new_source), strict=True)
        if old != new
    )
    assert mapped == {
        ("info", "MINOR"): UGLY["task_severity_info"],
        ("ui", "manual"): UGLY["task_source_ui"],
        ("import", "sync"): UGLY["task_source_import"],
        ("insight", "api"): UGLY["task_source_insight"],
    }
    padded = "select count(*) from {0} as source inner join insights.dim_{0} as dims on dims.{1} = source.id"
    padded += " where dims.is_label_valid and dims.label <> source.label and dims.label = btrim(source.label)"
    assert drifted.sample.value(padded.format("tasks", "task_id")) == UGLY["task_label_padded"]
    assert drifted.sample.value(padded.format("cases", "case_id")) == UGLY["case_label_padded"]


def test_an_unknown_status_of_an_organization_does_not_stop_the_build(prepared: Warehouse) -> None:
    prepared.execute(
        "alter table organizations alter column status drop default, alter column status type text;"
        "update organizations set status = 'trial' where slug = 'sample-stores'"
    )
    result = prepared.build("--select", "+dim_organizations", "--indirect-selection", "buildable")
    assert result.succeeded, result.output[-2000:]
    assert prepared.value("select count(*) from insights.dim_organizations") == 4


def test_a_column_that_goes_missing_later_is_null_from_then_on(built: Warehouse) -> None:
    groups = built.value("select count(*) from insights.dim_learning_groups where category is not null")
    assert groups > 0
    built.execute("alter table learning_groups drop column category cascade")  # the views above it go, too
    result = built.build("--select", "+dim_learning_groups", "source_drift", *NO_TESTS)
    assert result.succeeded, result.output[-2000:]
    assert built.value("select count(*) from insights.dim_learning_groups where category is null") == groups
    drift = built.rows("select column_name, drift from insights_ops.source_drift where table_name = 'learning_groups'")
    assert drift == [("category", "missing")]
