"""Masks in exports equal a second computation, and cover every name and id of a person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
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

from orchestration.exports.definitions import Column, Pii, definition
from orchestration.exports.masking import key_blocks, masked, masked_rows, masked_type, send_blocks
from orchestration.manifest import Exposure
from orchestration.warehouse.database import Database

pytest_plugins = ["support.exports.export_sessions"]


@pytest.mark.services
def test_masks_equal_pythons_own_hmac(session: ExportSession) -> None:
    organization = session.organization_id()
    cases = {row["case_id"]: row for row in mart_rows(session.warehouse, "insights_personal.personal_cases")}
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
    with connect_as(own_session.warehouse.etl_url) as loader:  # as a load does for the relations of declared exports
        withheld = json.dumps({"full_name": "name", "external_reference": "identifier"})
        loader.execute(
            "select insights_ops.allow_exports('insights_personal.personal_persons'::regclass, %s)", [withheld]
        )
    meta = {
        "kind": "rows",
        "from": "fact_wellbeing_checkins",
        "with": {"personal_persons": "person_id"},
        "date": "date_key",
    }
    meta |= {"columns": columns}
    exposure = Exposure("checkins", "", meta, frozenset({"fact_wellbeing_checkins", "personal_persons"}))
    nodes = models()
    session = replace(own_session, definitions={"checkins": definition(exposure, nodes)})
    persons = {row["person_id"]: row for row in mart_rows(session.warehouse, "insights_personal.personal_persons")}
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


KINDS = """
    create table insights.kinds as
    select
        {organization}::uuid as organization_id, v.number, v.text as identifier, v.text as name, v.text as free_text,
        v.texts as identifiers, v.day as birth_date, v.number as plain
    from (values (1, 'Zoë 名', array['b', 'a'], date '2001-09-11'), (2, '', '{{}}', null), (3, null, null, null))
        as v (number, text, texts, day)
"""


@pytest.mark.services
def test_each_kind_of_mask(shared: Warehouse) -> None:
    organization, key = ExportSession.organization_id(ExportSession(shared, shared.settings, Path(), {})), "k" * 70
    withheld = {name: name for name in ("identifier", "name", "free_text", "birth_date")} | {
        "identifiers": "identifier"
    }
    with connect_as(shared.etl_url) as connection:
        db = Database(shared.settings, connection)
        db.execute(sql.SQL(KINDS).format(organization=organization))
        db.execute("select insights_ops.allow_exports('insights.kinds'::regclass, %s)", [json.dumps(withheld)])
        send_blocks(db, key_blocks(key.encode(), UUID(organization)))
        rows = masked_rows("kinds", UUID(organization), db.names)
        found = db.rows(sql.SQL("select * from {} order by number").format(rows))
        text = mask("Zoë 名", organization, key)
        texts = sorted([mask("b", organization, key), mask("a", organization, key)])
        empty = mask("", organization, key)
        assert [row[1:] for row in found] == [
            (1, text, text, "[redacted]", texts, date(2001, 1, 1), 1),
            (2, empty, empty, "[redacted]", [], None, 2),
            (3, None, None, None, None, None, 3),
        ]
        for value, data_type, expected in (
            ("'Zoë 名'", "text", text),
            ("''", "text", empty),
            ("null", "text", None),
            ("array['b', 'a']", "text[]", texts),
            ("'{}'", "text[]", []),
            ("null", "text[]", None),
        ):
            column = Column("id", data_type, "key")
            expression = masked(sql.SQL(f"({value})::{data_type}"), column, db.names)
            assert db.value(sql.SQL("select {}").format(expression)) == expected
            assert masked_type(column) == data_type
        kinds: dict[Pii, str] = {"birth_date": "date", "name": "text", "free_text": "text", "none": "date"}
        assert {kind: masked_type(Column("c", "date", kind)) for kind in kinds} == kinds


@pytest.mark.services
def test_masking_can_be_turned_off_and_that_is_recorded(
    session: ExportSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INSIGHTS_EXPORT_KEY")
    bare = session.changed(pii_masking_enabled=False)
    done = bare.export("cases", file_format="jsonl")
    titles = {row["case_id"]: row["title"] for row in mart_rows(session.warehouse, "insights_personal.personal_cases")}
    assert all(row["title"] == titles[row["case_id"]] for row in read(Path(done.location)))
    manifest = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))
    assert (manifest["masking"], manifest["masked_columns"]) == (False, [])
    newest = "select is_masked, masked_columns from insights_ops.export_audit order by export_audit_id desc limit 2"
    assert session.warehouse.rows(newest) == [(False, [])] * 2
    assert "INSIGHTS_EXPORT_KEY" in session.refusal("cases")
