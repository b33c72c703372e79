"""The key of the masks: weak ones are refused, and manifest, audit and command name it without revealing it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.exports.exporting import HOSPITAL, KEY, STORES, ExportSession, key_id

from orchestration.cli import commands
from orchestration.config.files import check
from orchestration.config.keys import weakness
from orchestration.errors import InsightsError

pytest_plugins = ["support.exports.export_sessions"]

WEAK = {
    "at least 32 bytes": ["k", "x" * 31],
    "fewer than 8 different characters": ["k" * 32, "k" * 4096, "ab" * 16, "1234567" * 9],
    "repeats a part of fewer than 32 bytes": ["0123456789abcdef" * 2, "changeme-" * 8, "changeme-" * 8 + "chan"],
    "is mostly a sequence": ["0123456789abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba9876543210"],
}
OTHER = "another key for tests, long enough as well: 9876543210"


@pytest.mark.parametrize(("says", "key"), [(says, key) for says, keys in WEAK.items() for key in keys])
def test_a_weak_key_is_an_error_of_the_configuration(says: str, key: str) -> None:
    found = [str(p) for p in check(environ={"INSIGHTS_EXPORT_KEY": key}).problems if p.key == "INSIGHTS_EXPORT_KEY"]
    assert len(found) == 1
    assert says in found[0]
    assert "openssl rand -hex 32" in found[0]
    assert f"is {key}" not in found[0]


def test_strong_keys_are_accepted() -> None:
    for _ in range(2000):
        for key in (secrets.token_hex(32).encode(), secrets.token_bytes(32), secrets.token_urlsafe(24).encode()):
            assert weakness(key) is None
    assert weakness(KEY.encode()) is None


def test_a_weak_fernet_key_is_a_warning() -> None:
    zeros = "A" * 43 + "="  # 32 bytes of 0
    found = [p for p in check(environ={"AIRFLOW__CORE__FERNET_KEY": zeros}).problems if "FERNET" in p.key]
    assert [(p.level, "different characters" in str(p)) for p in found] == [("warning", True)]


@pytest.mark.services
def test_a_rotated_key_shows_in_manifest_audit_and_command(
    own_session: ExportSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(output: str, organization: str = HOSPITAL, name: str = "cases") -> tuple[str | None, str]:
        arguments = ["export", name, "--org", organization, "--from", "2025-01-01", "--to", "2026-01-01"]
        arguments += ["--user", own_session.user(organization), "--output", output]
        done = CliRunner().invoke(commands, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        manifest = json.loads((own_session.folder / f"{output}.csv.manifest.json").read_text("utf-8"))
        said = [line for line in done.stderr.splitlines() if "INSIGHTS_EXPORT_WAREHOUSE_URL" not in line]
        return manifest["masking_key_id"], "\n".join(said)

    assert export("first") == (key_id(), f"Masked: source_keys (hmac-sha256), title (redacted) (key {key_id()})")
    # Cells have no masked columns, so no key was used.
    assert export("cells", name="monthly_case_totals") == (None, "")
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", OTHER)
    found, said = export("rotated")
    assert found == key_id(OTHER) != key_id()
    assert f"The masks differ from those of the organization's previous export, which used the key {key_id()}" in said
    # An organization that had no export before has nothing to compare with, and a kept key is not mentioned.
    assert "differ" not in export("elsewhere", STORES)[1]
    assert "differ" not in export("kept")[1]
    audit = own_session.warehouse.rows(
        "select event, masking_key_id from insights_ops.export_audit order by export_audit_id"
    )
    keys = [key_id(), None, *[key_id(OTHER)] * 3]
    assert audit == [(event, key) for key in keys for event in ("started", "finished")]
    listed = CliRunner().invoke(commands, ["exports", "audit"]).stdout.splitlines()
    assert sum(key_id(OTHER) in line for line in listed) == 3


@pytest.mark.services
def test_a_database_of_an_older_release_names_the_command_that_prepares_it(own_session: ExportSession) -> None:
    own_session.warehouse.execute("alter table insights_ops.export_audit drop column masking_key_id")
    with pytest.raises(InsightsError, match=r"or that of an older release\. Run: insights init"):
        own_session.export("cases")
    assert not Path(own_session.folder).exists() or own_session.files() == []
