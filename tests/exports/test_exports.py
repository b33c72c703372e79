"""Exports: what is in the files, counted and masked a second time by hand; limits; what the audit says."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pty
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql
from support.exports.exporting import (
    AGGREGATES,
    CLUB,
    FROM,
    HOSPITAL,
    STORES,
    TO,
    ExportSession,
    mask,
    models,
    project,
    read,
)
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings, check
from orchestration.errors import InsightsError
from orchestration.exports.columns import row_columns
from orchestration.exports.definitions import definition, definitions, referring
from orchestration.exports.masking import key_blocks, masked, send_blocks
from orchestration.exports.meta import AggregateExport, RowsExport
from orchestration.exports.run import run_export
from orchestration.manifest import Exposure, exposures
from orchestration.warehouse.database import Database

pytest_plugins = ["support.exports.export_sessions"]

# Each export of rows: its fact, the date of it, what is joined and by what.
ROWS = {
    "tasks": ("fact_tasks", "created_date_key", "dim_tasks", "task_id"),
    "cases": ("fact_cases", "opened_date_key", "dim_cases", "case_id"),
    "patterns_weekly": ("pattern_weekly", "review_date", None, None),
    "patterns_monthly": ("pattern_monthly", "review_date", None, None),
    "patterns_yearly": ("pattern_yearly", "review_date", None, None),
    "trends_monthly": ("report_monthly_trends", "month", None, None),
}
VISIBLE = ("PUBLIC", "INTERNAL")
# What counts tasks and reviews of every visibility.
COUNTS_OF_OTHERS = {"linked_task_count", "escalation_count", "review_count"}


def _relation(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    """Every row of a mart, as JSON writes it."""
    return [row for (row,) in warehouse.rows(f"select to_jsonb(r) from insights.{name} as r")]


# What is declared


def test_the_exports_are_declared_as_exposures() -> None:
    assert set(definitions(project())) == {*ROWS, *AGGREGATES}


def test_an_export_depends_on_exactly_what_it_reads() -> None:
    for exposure in exposures(project(), "export").values():
        read = {exposure.meta["from"], *exposure.meta.get("with", {})}
        if "refers" in exposure.meta:
            read |= {"fact_cases", "dim_cases"}  # each of them names cases
        assert read == exposure.depends_on, exposure.name


def test_every_id_in_a_row_is_its_own_or_declared_to_name_another_row() -> None:
    own = {"organization_id", "task_id of tasks", "case_id of cases", "trend_id of trends_monthly"}
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
            {"dimensions": {"title": "dim_cases.title"}},
            ".dimensions.title: dim_cases.title is personal data (free_text)",
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
        definition(replace(exposure, meta=exposure.meta | change), nodes)
    beginning = "models/exposures/_exports.yml: export monthly_case_totals: config.meta.export"
    assert str(caught.value).startswith(beginning + says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"columns": ["label", "lable"]}, ".columns: lable is not a column of fact_cases or dim_cases."),
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
    assert [c.name for c in row_columns(after, scope, is_masked=True)] == exposure.meta["columns"]
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
def test_a_row_that_is_named_is_one_row(shared: Warehouse) -> None:
    unique = {
        tuple(row)
        for row in shared.rows(
            "select c.relnamespace::regnamespace::text, c.relname::text, a.attname::text from pg_index as i"
            " join pg_class as c on i.indrelid = c.oid join pg_attribute as a on a.attrelid = c.oid"
            " and a.attnum = i.indkey[0] where i.indisunique and i.indnatts = 1"
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


# What is in the files


@pytest.mark.services
@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "jsonl"])
def test_rows_are_those_of_the_organization_range_and_visibility(
    session: ExportSession, name: str, file_format: str
) -> None:
    fact, day, joined, key = ROWS[name]
    organization, since, until = session.organization_id(), "2025-03-10", "2025-12-30"
    expected = [
        row
        for row in _relation(session.warehouse, fact)
        if row["organization_id"] == organization and since <= row[day] < until and row["visibility"] in VISIBLE
    ]
    dimension = {row[key]: row for row in _relation(session.warehouse, joined)} if joined and key else {}
    wanted = [{**dimension.get(row[key] if key else None, {}), **row} for row in expected]
    # Of a case that may not leave itself, the id does not leave with another row either.
    leaving = _visible_cases(session)
    for row in wanted:
        if name == "tasks" and row["case_id"] not in leaving:
            row["case_id"] = None
        if name.startswith("patterns"):
            row["case_ids"] = [case_id for case_id in row["case_ids"] if case_id in leaving]
    rows = session.rows(name, since=date(2025, 3, 10), until=date(2025, 12, 30), file_format=file_format)
    assert len(rows) == len(wanted) > (0 if name in ("tasks", "cases", "patterns_weekly", "trends_monthly") else -1)
    listed = exposures(project(), "export")[name].meta["columns"]
    assert not COUNTS_OF_OTHERS & {*listed} or name == "tasks"
    unmasked = [c for c in listed if c not in ("title", "source_keys", "loaded_at")]
    assert all(list(row) == listed for row in rows)
    if file_format == "jsonl":
        assert _sorted([{c: row[c] for c in unmasked} for row in rows]) == _sorted(
            [{c: row[c] for c in unmasked} for row in wanted]
        )
    else:
        texts = [c for c in unmasked if all(isinstance(row[c], str) for row in wanted) and not c.endswith("_at")]
        assert len(texts) > 2 or not wanted
        assert _sorted([{c: row[c] for c in texts} for row in rows]) == _sorted(
            [{c: row[c] for c in texts} for row in wanted]
        )


def _visible_cases(session: ExportSession) -> set[str]:
    fact, dimension = (_relation(session.warehouse, name) for name in ("fact_cases", "dim_cases"))
    ours = [row for row in fact if row["organization_id"] == session.organization_id() and row["visibility"] in VISIBLE]
    hidden = {row["case_id"] for row in dimension if row["visibility"] not in VISIBLE}
    return {row["case_id"] for row in ours} - hidden


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.mark.services
def test_cells_of_tasks_and_cases_are_counted_in_whole_months(session: ExportSession) -> None:
    organization = session.organization_id()
    for name, fact, day, key, domain, dim in (
        ("monthly_task_totals", "fact_tasks", "created_date_key", "task_id", "type", "dim_tasks"),
        ("monthly_case_totals", "fact_cases", "opened_date_key", "case_id", "domain", "dim_cases"),
    ):
        domains = {row[key]: row[domain] for row in _relation(session.warehouse, dim)}
        cells: Counter[tuple[Any, ...]] = Counter()
        for row in _relation(session.warehouse, fact):
            # The load is as of 2026-01-01 and keeps 730 days, from 2024-01-02: January 2024 is not whole.
            if row["organization_id"] == organization and "2024-02-01" <= row[day] < "2026-01-01":
                month = f"{row[day][:7]}-01"
                cells[month, domains[row[key]], row["severity"], row["visibility"]] += 1
        kept = {cell: number for cell, number in cells.items() if number >= 5 or cell[-1] in VISIBLE}
        assert 0 < len(kept) < len(cells)
        assert {cell[-1] for cell in kept} >= {"INTERNAL", "RESTRICTED"}
        rows = session.rows(name, file_format="jsonl")
        found = {(r["month"], r["domain"], r["severity"], r["visibility"]): list(r.values())[-1] for r in rows}
        assert found == kept
        assert len(rows) == len(found)


@pytest.mark.services
def test_cells_of_checkins_count_persons(session: ExportSession) -> None:
    organization = session.organization_id()
    codes = {row["learning_group_id"]: row["code"] for row in _relation(session.warehouse, "dim_learning_groups")}
    scores: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    people: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in _relation(session.warehouse, "fact_wellbeing_checkins"):
        if row["organization_id"] == organization and "2024-02-01" <= row["date_key"] < "2026-01-01":
            cell = (f"{row['date_key'][:7]}-01", codes.get(row["learning_group_id"]), row["visibility"])
            scores[cell].append(row["score"])
            # An anonymous check-in has no person: each row counts as one.
            people[cell].add(row["person_id"] or row["checkin_id"])
    kept = {
        # Where all have the same score, their mean would be the score of each.
        cell: (len(of), sum(of) / len(of) if len(set(of)) > 1 else None)
        for cell, of in scores.items()
        if len(people[cell]) >= 5
    }
    assert 0 < len(kept) < len(scores)
    found = {
        (r["month"], r["learning_group"], r["visibility"]): (r["checkins"], r["mean_score"])
        for r in session.rows("monthly_checkin_totals", file_format="jsonl")
    }
    assert found.keys() == kept.keys()
    for cell, (checkins, mean) in kept.items():
        assert found[cell] == (checkins, None if mean is None else pytest.approx(mean, abs=0.00501))


@pytest.mark.services
def test_masks_equal_pythons_own_hmac(session: ExportSession) -> None:
    organization = session.organization_id()
    cases = {row["case_id"]: row for row in _relation(session.warehouse, "dim_cases")}
    rows = session.rows("cases", file_format="jsonl")
    assert sum(len(row["source_keys"]) for row in rows) > 100
    for row in rows:
        keys = cases[row["case_id"]]["source_keys"]
        assert row["source_keys"] == sorted(mask(key, organization) for key in keys)
        assert row["title"] == ("[redacted]" if cases[row["case_id"]]["title"] is not None else None)


@pytest.mark.services
def test_names_and_ids_of_persons_are_masked_where_rows_may_leave(own_session: ExportSession) -> None:
    # A check-in is RESTRICTED at least, so none leaves as a row; here each is made INTERNAL, and an export declared.
    own_session.warehouse.execute("update insights.fact_wellbeing_checkins set visibility = 'INTERNAL'")
    columns = ["checkin_id", "person_id", "full_name", "external_reference"]
    meta = {"kind": "rows", "from": "fact_wellbeing_checkins", "with": {"dim_persons": "person_id"}, "date": "date_key"}
    meta |= {"columns": columns}
    exposure = Exposure("checkins", "", meta, frozenset({"fact_wellbeing_checkins", "dim_persons"}))
    nodes = models()
    session = replace(own_session, definitions={"checkins": definition(exposure, nodes)})
    persons = {row["person_id"]: row for row in _relation(session.warehouse, "dim_persons")}
    checkins = {row["checkin_id"]: row for row in _relation(session.warehouse, "fact_wellbeing_checkins")}
    rows = session.rows("checkins", file_format="jsonl")
    organization, named = session.organization_id(), 0
    for row in rows:
        person = persons.get(checkins[row["checkin_id"]]["person_id"])
        for column in ("person_id", "full_name", "external_reference"):
            value = person and person[column]
            assert row[column] == (None if value is None else mask(value, organization))
        named += person is not None
    assert 0 < named < len(rows)
    # One value has one mask; `person:` and the id, as who reported a case, is another value.
    cases = replace(own_session).rows("cases", file_format="jsonl")
    reporters = {element for row in cases for element in row["source_keys"]}
    ids = {row["person_id"] for row in persons.values()}
    assert reporters & {mask(f"person:{person_id}", organization) for person_id in ids}
    assert not reporters & {mask(person_id, organization) for person_id in ids}


@pytest.mark.services
def test_each_kind_of_mask(shared: Warehouse) -> None:
    organization = ExportSession.organization_id(ExportSession(shared, shared.settings, Path(), {}))
    with connect_as(shared.etl_url) as connection:
        send_blocks(Database(shared.settings, connection), key_blocks(b"k" * 70, UUID(organization)))

        def leaves(value: str, data_type: str, pii: Any) -> tuple[Any, str]:
            expression, becomes = masked(sql.SQL(f"({value})::{data_type}"), data_type, pii)
            row = connection.execute(sql.SQL("select {}").format(expression)).fetchone()
            return (row or (None,))[0], becomes

        for pii in ("identifier", "name", "key"):
            assert leaves("'Zoë 名'", "text", pii) == (mask("Zoë 名", organization, "k" * 70), "text")
            assert leaves("''", "text", pii) == (mask("", organization, "k" * 70), "text")
            assert leaves("null", "text", pii) == (None, "text")
            expected = sorted([mask("b", organization, "k" * 70), mask("a", organization, "k" * 70)])
            assert leaves("array['b', 'a']", "text[]", pii) == (expected, "text[]")
            assert leaves("'{}'", "text[]", pii) == ([], "text[]")
            assert leaves("null", "text[]", pii) == (None, "text[]")
        assert leaves("'2001-09-11'", "date", "birth_date") == (date(2001, 1, 1), "date")
        assert leaves("null", "date", "birth_date") == (None, "date")
        assert leaves("'seen in ward 3'", "text", "free_text") == ("[redacted]", "text")
        assert leaves("null", "text", "free_text") == (None, "text")
        assert leaves("7", "integer", "none") == (7, "integer")


@pytest.mark.services
def test_masking_can_be_turned_off_and_that_is_recorded(
    session: ExportSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSIGHTS_EXPORT_KEY")
    bare = session.changed(pii_masking_enabled=False)
    done = bare.export("cases", file_format="jsonl")
    titles = {row["case_id"]: row["title"] for row in _relation(session.warehouse, "dim_cases")}
    assert all(row["title"] == titles[row["case_id"]] for row in read(Path(done.location)))
    manifest = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))
    assert (manifest["masking"], manifest["masked_columns"]) == (False, [])
    newest = "select is_masked, masked_columns from insights_ops.export_audit order by export_audit_id desc limit 2"
    assert session.warehouse.rows(newest) == [(False, [])] * 2
    assert "INSIGHTS_EXPORT_KEY" in session.refusal("cases")


SPITEFUL = [
    *(
        "=1+1",
        "+1+1",
        "-1+cmd|' /C calc'!A0",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "=",
        "-",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
    ),
    # With semicolons or tabs for separators, a cell begins after one, and after a line end in a quoted text.
    *("x;=1", "x\t=1", "x; +1", 'x;"=1"', "x\n=1\ny", "x\r\n@a", "x;\n=1", "x;y;-1;\uff1d1"),
    *("-12.5", "+3", "-1e5", ".5", "-.5", "+41791234567"),
    *(
        "plain",
        "",
        "a,b",
        'say "hi"',
        "line\nbreak",
        "line\r\nbreak",
        "Zoë 名 \U0001f600",
        "'quoted'",
        "\\N",
        "\\.",
        "a\\nb",
    ),
    *("{}", "null", "x\u2028y", "x\x01y\x02z", "x\x7fy", " lead", "trail ", "x;y-1;z", "\u200b=1"),
]
GUARDED = {text: f"'{text}" for text in SPITEFUL[:14]} | {
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "x;=1": "x;'=1",
    "x\t=1": "x\t'=1",
    "x; +1": "x;' +1",
    'x;"=1"': 'x;\'"=1"',
    "x\n=1\ny": "x\n'=1\ny",
    "x\r\n@a": "x\r\n'@a",
    "x;\n=1": "x;\n'=1",
    "x;y;-1;\uff1d1": "x;y;'-1;'\uff1d1",
}


@pytest.fixture
def spiteful(own_session: ExportSession) -> ExportSession:
    """A session where the labels of the hospital's tasks of one day are the texts above, and one number is negative."""
    session = own_session
    query = (
        "select task_id from insights.fact_tasks where organization_id = %s and visibility = 'INTERNAL'"
        " and created_date_key < '2025-01-01' order by task_id limit %s"
    )
    ids = [row[0] for row in session.warehouse.rows(query, session.organization_id(), len(SPITEFUL))]
    with connect_as(session.warehouse.admin_url) as connection:
        for task_id, text in zip(ids, SPITEFUL, strict=True):
            change = "update insights.dim_tasks set label = %s where task_id = %s"
            connection.execute(change, [text, task_id])
            move = (
                "update insights.fact_tasks set created_date_key = '2023-01-01', comment_count = -7 where task_id = %s"
            )
            connection.execute(move, [task_id])
    return session


@pytest.mark.services
def test_csv_is_read_back_whole_and_holds_no_formula(spiteful: ExportSession) -> None:
    rows = spiteful.rows("tasks", since=date(2023, 1, 1), until=date(2023, 1, 2))
    expected = [GUARDED.get(text, text) for text in SPITEFUL]
    assert sorted(row["label"] for row in rows) == sorted(expected)
    assert {row["comment_count"] for row in rows} == {"-7"}
    assert {row["time_to_first_response_seconds"] for row in rows} != {""}


@pytest.mark.services
def test_json_lines_are_read_back_as_they_are(spiteful: ExportSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")  # what psql and others read says nothing about exports
    rows = spiteful.rows("tasks", since=date(2023, 1, 1), until=date(2023, 1, 2), file_format="jsonl")
    assert sorted(row["label"] for row in rows) == sorted(SPITEFUL)
    assert {row["comment_count"] for row in rows} == {-7}


@pytest.mark.services
def test_the_manifest_beside_it_tells_what_the_file_is(session: ExportSession) -> None:
    done = session.export("cases", file_format="csv.gz", output="cases_2025", since=date(2025, 1, 1))
    data = Path(done.location).read_bytes()
    manifest = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))
    columns = {column["name"]: column for column in manifest.pop("columns")}
    header = gzip.decompress(data).split(b"\n")[0].decode()
    assert header.split(",") == list(columns)
    assert all(column.pop("refers_to") is None for column in columns.values())
    assert columns["title"] == {"name": "title", "type": "text", "masked": "redacted"}
    assert columns["source_keys"] == {"name": "source_keys", "type": "text[]", "masked": "hmac-sha256"}
    assert columns["opened_at"] == {"name": "opened_at", "type": "timestamp with time zone", "masked": None}
    audit = (
        "select export_id::text, row_count, byte_count, sha256, output, organization_id::text, masked_columns"
        " from insights_ops.export_audit where event = 'finished' order by export_audit_id desc limit 1"
    )
    facts = session.warehouse.rows(audit)[0]
    assert facts[1:] == (
        *(done.rows, len(data), hashlib.sha256(data).hexdigest(), done.location, session.organization_id()),
        ["source_keys (hmac-sha256)", "title (redacted)"],
    )
    read_at = manifest.pop("read_at")
    assert read_at.endswith("+00:00")
    assert manifest == {
        "export": "cases",
        "export_id": facts[0],
        "format": "csv.gz",
        "rows": done.rows,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "filters": {
            "organization_id": session.organization_id(),
            "from": "2025-01-01",
            "to": "2026-01-01",
            "visibilities_as_rows": ["PUBLIC", "INTERNAL"],
            "min_group_size": 5,
        },
        "masking": True,
        "masked_columns": ["source_keys (hmac-sha256)", "title (redacted)"],
        "requested_by": session.user(),
        "load": {"as_of": "2026-01-01", "horizon": "2026-01-01", "loaded_through": "2026-01-01T00:00:00+00:00"},
        "environment": "dev",
        "config_version": "3.0",
    }


@pytest.mark.services
def test_the_manifest_tells_which_column_names_rows_of_another_export(session: ExportSession) -> None:
    for name, column, data_type in (("tasks", "case_id", "uuid"), ("patterns_weekly", "case_ids", "uuid[]")):
        done = session.export(name)
        described = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))["columns"]
        assert [found for found in described if found["refers_to"]] == [
            {"name": column, "type": data_type, "masked": None, "refers_to": "cases.case_id"}
        ]


# What is refused, and what the audit says


@pytest.mark.services
@pytest.mark.parametrize("name", ["tasks", "monthly_task_totals"])
def test_the_row_limit_is_exact(session: ExportSession, name: str) -> None:
    rows = session.export(name).rows
    assert session.changed(max_rows_per_export=rows).export(name).rows == rows
    assert f"more than {rows - 1:,} rows" in session.changed(max_rows_per_export=rows - 1).refusal(name)
    # The one that was too large never began.
    assert session.audit()[-3:] == ["started", "finished", "refused"]


@pytest.mark.services
@pytest.mark.parametrize(
    ("name", "other", "says"),
    [
        ("persons", {}, "There is no export persons. There are: cases, monthly_"),
        ("tasks", {"file_format": "xlsx"}, "The format is xlsx; it must be one of csv, csv.gz, jsonl."),
        ("tasks", {"since": TO, "until": TO}, "must be before --to 2026-01-01"),
        ("tasks", {"organization": "nobody"}, "There is no organization 'nobody'"),
        ("tasks", {"user": "11111111-1111-1111-1111-111111111111"}, "has no active user 11111111"),
        ("tasks", {"output": "../x"}, "is not a valid name"),
        ("monthly_task_totals", {"since": date(2025, 1, 2)}, "--from and --to must be first days of months"),
        ("monthly_task_totals", {"until": date(2025, 12, 31)}, "--from and --to must be first days of months"),
    ],
)
def test_a_try_that_may_not_be_is_refused_and_recorded(
    session: ExportSession, name: str, other: dict[str, Any], says: str
) -> None:
    assert says in session.refusal(name, **other)
    query = (
        "select export_name, format, organization, requested_by, reason, sha256, environment, config_version,"
        " database_user, now() - logged_at < interval '1 minute'"
        " from insights_ops.export_audit order by export_audit_id desc limit 1"
    )
    row = session.warehouse.rows(query)[0]
    asked = {"file_format": "csv", "organization": HOSPITAL, "user": session.user()} | other
    assert row[:4] == (name, asked["file_format"], asked["organization"], asked["user"])
    assert says in row[4]
    assert row[5:] == (None, "dev", "3.0", "orgo_insights_etl", True)


@pytest.mark.services
def test_an_export_that_breaks_off_leaves_nothing_and_is_recorded(session: ExportSession) -> None:
    def give_up(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_export(session.settings, session.definitions, session.request("tasks"), give_up)
    assert session.files() == []
    assert session.audit()[-2:] == ["started", "failed"]


@pytest.mark.services
def test_what_was_counted_is_what_leaves_whatever_happens_between(own_session: ExportSession) -> None:
    before = _sorted(own_session.rows("tasks"))
    own_session.warehouse.execute("""
        create function insights_ops.meddle() returns trigger language plpgsql security definer as $$
        begin
            delete from insights.fact_tasks where visibility = 'INTERNAL';
            return new;
        end $$;
        create trigger meddle before insert on insights_ops.export_audit
        for each row when (new.event = 'started') execute function insights_ops.meddle();
    """)
    assert _sorted(own_session.rows("tasks")) == before
    assert len(own_session.rows("tasks")) < len(before)


@pytest.mark.services
def test_a_name_that_is_taken_is_refused(session: ExportSession) -> None:
    first = session.export("tasks", output="once")
    before = Path(first.location).read_bytes()
    assert "once.csv" in session.refusal("cases", output="once")
    assert Path(first.location).read_bytes() == before


@pytest.mark.services
def test_nothing_is_exported_before_the_audit_can_be_told(prepared: Warehouse, own_session: ExportSession) -> None:
    own_session.warehouse.execute("drop table insights_ops.export_audit")
    with pytest.raises(InsightsError, match=r"no audit of exports yet\. Run: insights init"):
        own_session.export("tasks")
    assert own_session.files() == []


@pytest.mark.services
def test_a_warehouse_that_was_never_built_says_so(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = ExportSession.at(prepared, tmp_path / "exports", monkeypatch)
    assert "Nothing has been built here yet" in session.refusal("tasks")


def test_offline_exports_nothing_until_it_is_enabled(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://nobody@/nowhere?host=/nonexistent")
    offline = ExportSession(Warehouse("", None, settings), replace(settings, environment="offline"), tmp_path, {})  # type: ignore[arg-type]
    request = ExportSession.request(offline, "tasks", user="x")
    with pytest.raises(InsightsError, match=r"Exports are disabled in offline unless insights\.offline\.enabled"):
        run_export(offline.settings, {}, request)


@pytest.mark.parametrize("key", ["short", "x" * 31])
def test_a_short_key_is_a_mistake_of_the_configuration(key: str) -> None:
    found = [str(p) for p in check(environ={"INSIGHTS_EXPORT_KEY": key}).problems if p.key == "INSIGHTS_EXPORT_KEY"]
    assert len(found) == 1
    assert "at least 32 bytes" in found[0]
    assert key not in found[0]


# The command line


def _insights(*arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)


@pytest.mark.services
def test_the_commands(session: ExportSession) -> None:
    arguments = ["export", "cases", "--org", HOSPITAL, "--from", "2025-01-01", "--to", "2026-01-01"]
    done = _insights(*arguments, "--user", session.user(), "--output", "by_hand")
    assert done.returncode == 0, done.stderr
    rows = read(session.folder / "by_hand.csv")
    assert done.stdout.startswith(f"{session.folder / 'by_hand.csv'}: {len(rows)} rows, ")
    assert done.stderr == "Masked: source_keys (hmac-sha256), title (redacted)\n"
    refused = _insights(*arguments, "--user", session.user(STORES), "--output", "by_hand_2")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The organization has no active user")
    audit = _insights("exports", "audit", "--limit", "2").stdout.splitlines()
    assert [line.split()[2] for line in audit if not line.startswith(" ")] == ["refused", "finished"]
    listed = _insights("exports", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [*sorted(AGGREGATES), *sorted(ROWS)]


@pytest.mark.services
def test_a_terminal_sees_a_bar(session: ExportSession) -> None:
    master, slave = pty.openpty()
    arguments = ["export", "tasks", "--org", CLUB, "--from", str(FROM), "--to", str(TO), "--output", "seen"]
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", *arguments]
    process = subprocess.Popen([*command, "--user", session.user(CLUB)], stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    seen = b""
    while process.poll() is None or b"100%" not in seen:
        try:
            seen += os.read(master, 4096)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert process.wait() == 0
    rows = len(read(session.folder / "seen.csv"))
    assert f"{rows}/{rows}".encode() in seen
