"""Declared exports: their columns and references are checked, and the documentation names all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.exports.exported_rows import ROWS
from support.exports.exporting import (
    AGGREGATES,
    models,
    project,
)
from support.warehouse import Warehouse

from orchestration.config.files import load_settings
from orchestration.errors import InsightsError
from orchestration.exports.columns import row_columns
from orchestration.exports.definitions import definition, definitions, referring
from orchestration.exports.meta import AggregateExport, RowsExport
from orchestration.manifest import exposures
from orchestration.warehouse.names import Names

pytest_plugins = ["support.exports.export_sessions"]

# What is declared


def test_the_exports_are_declared_as_exposures() -> None:
    assert set(definitions(project())) == {*ROWS, *AGGREGATES}


def test_an_export_depends_on_exactly_what_it_reads() -> None:
    for exposure in exposures(project(), "export").values():
        read = {exposure.meta["from"], *exposure.meta.get("with", {})}
        if "refers" in exposure.meta:
            read |= {"fact_cases", "dim_cases", "personal_cases"}  # each of them names cases
        assert read == exposure.depends_on, exposure.name


def test_every_id_in_a_row_is_its_own_or_declared_to_name_another_row() -> None:
    own = {"organization_id", "task_id of tasks", "case_id of cases", "trend_id of trends_monthly"}
    own |= {"role_id of tasks"}  # of a dimension, and in no column
    own |= {f"pattern_id of patterns_{cadence}" for cadence in ("weekly", "monthly", "yearly")}
    for name, found in definitions(project()).items():
        ids = {c.name for part in found.parts for c in part.columns.values() if c.data_type in ("uuid", "uuid[]")}
        if found.kind == "rows":
            naming = {column for column in ids if column not in own and f"{column} of {name}" not in own}
            assert naming == found.references.keys(), name
    refers = {name: {c: r.text for c, r in d.references.items()} for name, d in definitions(project()).items()}
    assert {name: to for name, to in refers.items() if to} == {
        "tasks": {"case_id": "cases.case_id"},
        "patterns_weekly": {"case_ids": "cases.case_id"},
        "patterns_monthly": {"case_ids": "cases.case_id"},
        "patterns_yearly": {"case_ids": "cases.case_id"},
    }


def test_every_fact_has_one_family_of_cells() -> None:
    facts = [d.parts[0].name for d in definitions(project()).values() if d.kind == "aggregate"]
    assert sorted(facts) == ["fact_cases", "fact_tasks", "fact_wellbeing_checkins"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "cube"}, ": 'kind' is 'cube', and must be one of 'rows', 'aggregate'"),
        ({"order": "name"}, ".order: this key is unknown"),
        ({"from": "stg_tasks"}, ".from: stg_tasks is not a model in depends_on"),
        ({"from": "report_task_volume"}, ".from: report_task_volume is not a model in depends_on"),
        ({"from": None}, ".from: must be a text"),
        ({"with": {"dim_persons": "case_id"}}, ".with.dim_persons: dim_persons is not a model in depends_on"),
        ({"with": {"dim_cases": "task_id"}}, ".with.dim_cases: task_id is not a column of both fact_cases and dim"),
        ({"kind": "rows", "columns": ["label"]}, ".dimensions: this key is unknown"),
        ({"date": "opened_at"}, ".date: opened_at is not a column of fact_cases"),
        ({"measures": {}}, ".measures: Dictionary should have at least 1 item"),
        ({"group_size": ""}, ".group_size: must not be empty"),
        (
            {"with": {"personal_cases": "case_id"}, "dimensions": {"title": "personal_cases.title"}},
            ".dimensions.title: personal_cases.title is personal data (free_text)",
        ),
        ({"dimensions": {"title": "title"}}, ".dimensions.title: title must be relation.column"),
        ({"measures": {"n": {"sql": "count(*)"}}}, ".measures.n.type: this key is missing"),
        ({"measures": {"n": {"sql": "min('x')", "type": "text"}}}, ".measures.n.type: must match ^(integer|bigint"),
    ],
)
def test_a_wrong_declaration_is_refused_with_file_export_and_key(change: dict[str, Any], says: str) -> None:
    exposure = exposures(project(), "export")["monthly_case_totals"]
    nodes = models()
    assert definition(exposure, nodes).name == "monthly_case_totals"
    with pytest.raises(InsightsError) as caught:
        depends_on = exposure.depends_on | {"personal_cases"}
        definition(replace(exposure, meta=exposure.meta | change, depends_on=depends_on), nodes)
    beginning = "models/exposures/_exports.yml: export monthly_case_totals: config.meta.export"
    assert str(caught.value).startswith(beginning + says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"columns": ["label", "lable"]},
            ".columns: lable is not a column of fact_cases or dim_cases or personal_cases.",
        ),
        ({"columns": ["label", "label"]}, ".columns: label is listed twice."),
        ({"columns": []}, ".columns: List should have at least 1 item"),
        ({"without": ["title"]}, ".without: this key is unknown."),
    ],
)
def test_a_wrong_list_of_columns_is_refused_with_export_key_and_column(change: dict[str, Any], says: str) -> None:
    exposure = exposures(project(), "export")["cases"]
    with pytest.raises(InsightsError) as caught:
        definition(replace(exposure, meta=exposure.meta | change), models())
    assert str(caught.value).startswith(f"models/exposures/_exports.yml: export cases: config.meta.export{says}")


@pytest.mark.parametrize("name", ROWS)
def test_a_new_column_of_a_mart_does_not_leave(name: str) -> None:
    exposure, nodes = exposures(project(), "export")[name], models()
    before = definition(exposure, nodes)
    added = {"name": "nickname", "data_type": "text", "config": {"meta": {}}}
    for relation in (exposure.meta["from"], *exposure.meta.get("with", {})):
        nodes[relation] = nodes[relation] | {"columns": {"nickname": added, **nodes[relation]["columns"]}}
    after = definition(exposure, nodes)
    assert all("nickname" in part.columns for part in after.parts)
    assert list(after.columns) == list(before.columns) == exposure.meta["columns"]
    scope: Any = None  # only columns that name other rows look at it, and here there are none
    assert [c.name for c in row_columns(after, scope, Names.of(load_settings()), is_masked=True)] == exposure.meta[
        "columns"
    ]
    # Listed, it does leave: what keeps it in is the list.
    listed = replace(exposure, meta=exposure.meta | {"columns": ["nickname", *exposure.meta["columns"]]})
    assert next(iter(definition(listed, nodes).columns)) == "nickname"


@pytest.mark.parametrize(
    ("refers", "says"),
    [
        (
            {"case_id": "fact_cases.case_id"},
            "case_id: fact_cases.case_id must be export.column, with",
        ),
        ({"case_id": "monthly_case_totals.month"}, "case_id: monthly_case_totals.month must be export.column"),
        ({"case_id": "cases"}, "case_id: cases is not a column of the export cases"),
        ({"case_id": "cases.id_of_case"}, "case_id: cases.id_of_case is not a column of the export cases"),
        ({"case_ids": "cases.case_id"}, "case_ids: case_ids is not in columns"),
        ({"label_role": "cases.label_role"}, "label_role: label_role is not in columns"),
        ({"label": "cases.case_id"}, "label: label is text, but cases.case_id is uuid"),
        (
            {"task_id": "patterns_weekly.pattern_id"},
            "task_id: patterns_weekly.pattern_id needs pattern_weekly in depends_on",
        ),
    ],
)
def test_a_wrong_reference_is_refused(refers: dict[str, str], says: str) -> None:
    found = exposures(project(), "export")
    right = found["tasks"]
    listed = [column for column in right.meta["columns"] if column != "label_role"]
    exposure = replace(right, meta=right.meta | {"refers": refers, "columns": listed})
    plain = {name: definition(other, models()) for name, other in (found | {"tasks": exposure}).items()}
    with pytest.raises(InsightsError) as caught:
        referring(exposure, plain)
    beginning = "models/exposures/_exports.yml: export tasks: config.meta.export.refers."
    assert str(caught.value).startswith(beginning + says)


@pytest.mark.services
def test_a_row_that_is_named_is_one_row_of_the_organization(shared: Warehouse) -> None:
    unique = {
        tuple(row)
        for row in shared.rows(
            "select c.relnamespace::regnamespace::text, c.relname::text, min(a.attname::text) from pg_index as i"
            " join pg_class as c on i.indrelid = c.oid join pg_attribute as a on a.attrelid = c.oid"
            " and a.attnum = any(i.indkey) and a.attname <> 'organization_id'"
            " where i.indisunique group by c.oid, i.indexrelid having count(*) = 1"
        )
    }
    named = {
        (r.part.schema, r.part.identifier, r.key)
        for d in definitions(project()).values()
        for r in d.references.values()
    }
    assert named == {("insights", "fact_cases", "case_id")}
    assert named <= unique


def test_the_documentation_names_every_export_and_every_key() -> None:
    text = Path("docs/exports.md").read_text("utf-8")
    fields = [*RowsExport.model_fields.items(), *AggregateExport.model_fields.items()]
    for name in {*definitions(project()), *(field.alias or key for key, field in fields)}:
        assert f"`{name}`" in text, name
