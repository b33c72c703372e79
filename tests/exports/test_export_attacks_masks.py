"""Attempts to undo masks or to find the key of masking. None succeeds."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from support.exports.attacks import AUDIT
from support.exports.exporting import CLUB, HOSPITAL, KEY, STORES, ExportSession, mask
from support.warehouse import connect_as

from orchestration.cli.export import export as export_command
from orchestration.exports.masking import key_blocks
from orchestration.exports.run import run_export
from workshop.services import LocalPostgres

pytest_plugins = ["support.exports.export_sessions"]

pytestmark = pytest.mark.services

# Masks


def test_sorting_or_filtering_by_a_masked_column(session: ExportSession) -> None:
    # There is no such question: these are all the options that there are.
    options = {option for parameter in export_command.params for option in parameter.opts}
    assert options == {"name", "--org", "--from", "--to", "--format", "--user", "--output"}
    # And an array of masks is in the order of the masks, not of what they mask.
    arrays = [row["source_keys"] for row in session.rows("cases", file_format="jsonl")]
    assert max(map(len, arrays)) > 1
    assert arrays == [sorted(array) for array in arrays]


def test_guessing_a_mask_with_a_known_value_but_without_the_key(session: ExportSession) -> None:
    rows = session.rows("cases", file_format="jsonl")
    masks = {element for row in rows for element in row["source_keys"]}
    organization = session.organization_id()
    known = {
        key
        for (keys,) in session.warehouse.rows("select visible_source_keys from insights_personal.personal_cases")
        for key in keys
    }
    guesses = set()
    for value in known:
        data = value.encode()
        guesses |= {hashlib.sha256(data).hexdigest()[:32], hashlib.md5(data).hexdigest()}  # noqa: S324
        guesses |= {hmac.new(k, data, "sha256").hexdigest()[:32] for k in (b"", organization.encode(), KEY.encode())}
    assert masks & guesses == set()
    assert masks <= {mask(value, organization) for value in known}


def test_guessing_a_mask_by_exporting_another_organization(own_session: ExportSession) -> None:
    own_session.warehouse.execute(
        "update insights_personal.personal_cases set visible_source_keys = array['user:the same']"
    )
    masks = {
        slug: {
            tuple(r["source_keys"])
            for r in own_session.rows("cases", organization=slug, user=own_session.user(slug), file_format="jsonl")
        }
        for slug in (HOSPITAL, STORES, CLUB)
    }
    assert [len(found) for found in masks.values()] == [1, 1, 1]
    assert len(set.union(*masks.values())) == 3


def test_a_key_that_one_knows_makes_other_masks(session: ExportSession, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {element for row in session.rows("cases", file_format="jsonl") for element in row["source_keys"]}
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", f"{KEY} but another")
    after = {element for row in session.rows("cases", file_format="jsonl") for element in row["source_keys"]}
    assert len(before) == len(after) > 100
    assert before & after == set()
    for key in ("", "k" * 31, "k" * 32, "0123456789abcdef" * 4):
        monkeypatch.setenv("INSIGHTS_EXPORT_KEY", key)
        says = session.refusal("cases")
        assert "INSIGHTS_EXPORT_KEY" in says
        assert key[:6] not in says or not key


def _secrets(organization_id: str) -> list[str]:
    """Return the key, the organization's own key and its blocks, in every form in which they could be written."""
    blocks = key_blocks(KEY.encode(), UUID(organization_id))
    own = hmac.digest(KEY.encode(), organization_id.encode(), "sha256")
    return [KEY, KEY.encode().hex(), own.hex(), blocks.inner.hex()[:40], blocks.outer.hex()[:40]]


def test_the_key_in_the_servers_log_and_in_pg_stat_activity(
    own_session: ExportSession, postgres: LocalPostgres
) -> None:
    session = own_session
    log = postgres.socket_dir / "log"
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_min_error_statement = 'debug5'"):
        session.warehouse.execute(f"alter database {session.warehouse.name} set {setting}")
    start, seen, finished = log.stat().st_size, set[str](), threading.Event()

    def poll() -> None:
        with connect_as(session.warehouse.admin_url) as connection:
            while not finished.is_set():
                seen.update(q for (q,) in connection.execute("select query from pg_stat_activity") if q)

    def until_seen(done: int, rows: int) -> None:
        deadline = time.monotonic() + 120
        while not any("row_to_json(export)" in query for query in seen.copy()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    watcher = threading.Thread(target=poll)
    watcher.start()
    errors = []
    try:
        run_export(session.settings, session.definitions, session.request("cases", file_format="jsonl"), until_seen)
        for file_format in ("csv", "csv.gz", "jsonl"):
            done = session.export("cases", file_format=file_format)
            session.export("tasks", file_format=file_format)
        errors.append(session.refusal("cases", user=session.user(STORES)))
        errors.append(session.changed(max_rows_per_export=1).refusal("cases"))
    finally:
        finished.set()
        watcher.join()
    logged = log.read_bytes()[start:].decode(errors="replace")
    manifest = Path(f"{done.location}.manifest.json").read_text("utf-8")
    audit = str(session.warehouse.rows(f"select a::text from {AUDIT} as a"))
    # The log does show what is bound and every statement, so it would show a key that was bound.
    assert f"$1 = '{HOSPITAL}'" in logged
    assert "copy pg_temp.export_key from stdin (format binary)" in logged
    assert any("row_to_json(export)" in query for query in seen)
    for secret in _secrets(session.organization_id()):
        for text in (logged, manifest, audit, *seen, *errors):
            assert secret.lower() not in text.lower()


def test_the_key_in_dbts_target_folder(session: ExportSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", "export", "cases", "--org", HOSPITAL]
    command += ["--user", session.user(), "--output", "x", "--from", "2025-01-01", "--to", "2026-01-01"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [file for folder in ("target", "logs") for file in (tmp_path / folder).rglob("*") if file.is_file()]
    assert len(files) > 2
    written = [file.read_bytes() for file in files] + [done.stdout.encode(), done.stderr.encode()]
    for secret in _secrets(session.organization_id()):
        assert [text for text in written if secret.encode() in text] == []


def test_the_key_in_the_temporary_table_of_another_session(session: ExportSession) -> None:
    waiting = session.start("tasks", "waits")
    try:
        assert waiting.stdout
        assert waiting.stdout.readline() == "streaming\n"
        places = "select relnamespace::regnamespace::text from pg_class where relname = 'export_key'"
        ((place,),) = session.warehouse.rows(places)
        for url in (session.warehouse.etl_url, session.warehouse.reader_url):
            with connect_as(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {place}.export_key")
        # Not even a superuser: the rows are in the memory of the other session.
        with connect_as(session.warehouse.admin_url) as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(f"select * from {place}.export_key")
    finally:
        waiting.communicate("\n")
    assert waiting.returncode == 0
