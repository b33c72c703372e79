"""Masks in exports equal a second computation, and cover every name and id of a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql
from support.exports.exported_rows import mart_rows
from support.exports.exporting import (
    ExportSession,
    mask,
    models,
    read,
)
from support.warehouse import Warehouse, connect_as

from orchestration.exports.definitions import definition
from orchestration.exports.masking import key_blocks, masked, send_blocks
from orchestration.manifest import Exposure
from orchestration.warehouse.database import Database

pytest_plugins = ["support.exports.export_sessions"]


@pytest.mark.services
def test_masks_equal_pythons_own_hmac(session: ExportSession) -> None:
    organization = session.organization_id()
    cases = {row["case_id"]: row for row in mart_rows(session.warehouse, "dim_cases")}
    rows = session.rows("cases", file_format="jsonl")
    assert sum(len(row["source_keys"]) for row in rows) > 100
    for row in rows:
        keys = cases[row["case_id"]]["visible_source_keys"]
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
    persons = {row["person_id"]: row for row in mart_rows(session.warehouse, "dim_persons")}
    checkins = {row["checkin_id"]: row for row in mart_rows(session.warehouse, "fact_wellbeing_checkins")}
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
    titles = {row["case_id"]: row["title"] for row in mart_rows(session.warehouse, "dim_cases")}
    assert all(row["title"] == titles[row["case_id"]] for row in read(Path(done.location)))
    manifest = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))
    assert (manifest["masking"], manifest["masked_columns"]) == (False, [])
    newest = "select is_masked, masked_columns from insights_ops.export_audit order by export_audit_id desc limit 2"
    assert session.warehouse.rows(newest) == [(False, [])] * 2
    assert "INSIGHTS_EXPORT_KEY" in session.refusal("cases")
