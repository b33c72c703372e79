"""Exported files are read back whole, and the manifest describes them."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import date, datetime
from pathlib import Path

import pytest
from support.exports.exporting import (
    ExportSession,
    key_id,
)
from support.exports.spiteful_texts import GUARDED, SPITEFUL
from support.warehouse import connect_as

pytest_plugins = ["support.exports.export_sessions"]


@pytest.fixture
def spiteful(own_session: ExportSession) -> ExportSession:
    """Return a session with spiteful texts as labels of the hospital's tasks and with one negative number."""
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
def test_the_manifest_describes_the_file(session: ExportSession) -> None:
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
    loaded_at = session.warehouse.value(
        "select max(logged_at) from insights_ops.load_log where relation_name = 'fact_cases'"
    )
    assert datetime.fromisoformat(manifest.pop("loaded_at")) == loaded_at
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
        "masking_key_id": key_id(),
        "requested_by": session.user(),
        "data_up_to": "2026-01-01",
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
