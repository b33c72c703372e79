"""What tests do with exports: ask for one, read what came of it, and look at what the audit says."""

from __future__ import annotations

import csv
import gzip
import hmac
import io
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from support.warehouse import Warehouse

from orchestration.config.files import Settings, load_settings
from orchestration.config.tokens import PerEnvironment
from orchestration.errors import InsightsError
from orchestration.exports.definitions import Definition, definitions
from orchestration.exports.request import Request
from orchestration.exports.run import Exported, run_export
from orchestration.manifest import read_manifest

KEY = "a key for tests, which is long enough: 0123456789"
HOSPITAL, STORES, CLUB = "sample-hospital", "sample-stores", "sample-walking-club"
FROM, TO = date(2024, 1, 1), date(2026, 1, 1)
AGGREGATES = ("monthly_task_totals", "monthly_case_totals", "monthly_checkin_totals")

_names = count()

# An export that waits, once its first row is there, until a line comes in.
_WAITING = """
import signal
import sys
from datetime import date
from orchestration.config.files import load_settings
from orchestration.exports.definitions import load_definitions
from orchestration.exports.request import Request
from orchestration.exports.run import run_export

signal.signal(signal.SIGINT, signal.default_int_handler)  # the process that started the tests may ignore the signal

def wait(done, rows):
    if done == 0:
        print("streaming", flush=True)
        sys.stdin.readline()

name, organization, user, output = sys.argv[1:]
settings = load_settings()
request = Request(name, organization, date(2024, 1, 1), date(2026, 1, 1), "csv", user, output)
try:
    run_export(settings, load_definitions(settings), request, wait)
except Exception as error:
    sys.exit(str(error))
"""


@cache
def project() -> dict[str, Any]:
    """Return the manifest that the commands read, which is current."""
    return read_manifest(load_settings())


def models() -> dict[str, dict[str, Any]]:
    """Return the models of the manifest, by name."""
    return {node["name"]: node for node in project()["nodes"].values() if node["resource_type"] == "model"}


@dataclass(frozen=True)
class ExportSession:
    """Where exports are asked for: a warehouse, the settings, and the folder of the files."""

    warehouse: Warehouse
    settings: Settings
    folder: Path
    definitions: dict[str, Definition]

    @classmethod
    def at(cls, warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ExportSession:
        """Return a session for this warehouse, with the environment that exports need; creates `folder`."""
        monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.etl_url)
        monkeypatch.setenv("INSIGHTS_EXPORT_DIR", str(folder))
        monkeypatch.setenv("INSIGHTS_EXPORT_KEY", KEY)
        # Fresh settings: those of the session have looked at the environment already.
        return cls(warehouse, replace(warehouse.settings), folder, definitions(project()))

    def changed(self, **exports: Any) -> ExportSession:
        """Return the session with other values below `insights.exports`; a number holds for every environment."""
        for name, value in exports.items():
            if isinstance(value, int) and not isinstance(value, bool) and name.startswith("max_"):
                exports[name] = PerEnvironment(dev=value, staging=value, prod=value, offline=value)
        insights = self.settings.insights
        changed = insights.model_copy(update={"exports": insights.exports.model_copy(update=exports)})
        return replace(self, settings=replace(self.settings, insights=changed))

    def user(self, organization: str = HOSPITAL, status: str = "active", number: int = 0) -> str:
        """Return the id of a user of an organization with a status: the first, or another, in the order of ids."""
        query = (
            "select u.id::text from user_accounts as u join organizations as o on u.organization_id = o.id"
            " where o.slug = %s and lower(trim(u.status)) = %s order by u.id offset %s limit 1"
        )
        return str(self.warehouse.value(query, organization, status, number))

    def organization_id(self, slug: str = HOSPITAL) -> str:
        """Return the id of an organization."""
        return str(self.warehouse.value("select id::text from organizations where slug = %s", slug))

    def request(self, name: str, **other: Any) -> Request:
        """Return a request of a hospital user for two years, as CSV under a new name; `other` replaces parts."""
        given: dict[str, Any] = {
            "organization": HOSPITAL,
            "since": FROM,
            "until": TO,
            "file_format": "csv",
            "user": None,
        }
        given |= other
        given["user"] = self.user() if given["user"] is None else given["user"]
        return Request(name=name, output=given.pop("output", f"export_{next(_names)}"), **given)

    def export(self, name: str, **other: Any) -> Exported:
        """Export the request."""
        return run_export(self.settings, self.definitions, self.request(name, **other))

    def refusal(self, name: str, **other: Any) -> str:
        """Return the reason of a refusal; checks that the folder is unchanged and the audit ends with the attempt."""
        before = self.files()
        with pytest.raises(InsightsError) as caught:
            self.export(name, **other)
        assert self.files() == before
        assert self.audit()[-1] == "refused"
        return str(caught.value)

    def rows(self, name: str, **other: Any) -> list[dict[str, Any]]:
        """Return the rows of an export as a reader of the file gets them: texts of CSV, values of JSON."""
        done = self.export(name, **other)
        rows = read(Path(done.location))
        assert len(rows) == done.rows
        return rows

    def files(self) -> list[str]:
        """Return the names of all that is in the folder."""
        return sorted(file.name for file in self.folder.iterdir()) if self.folder.exists() else []

    def audit(self) -> list[str]:
        """Return the events of the audit, in the order of writing."""
        rows = self.warehouse.rows("select event from insights_ops.export_audit order by export_audit_id")
        return [event for (event,) in rows]

    def start(self, name: str, output: str, user: str | None = None) -> subprocess.Popen[str]:
        """Start a process that exports, and waits at its first row for a line on its standard input."""
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", _WAITING, name, HOSPITAL, user or self.user(), output]
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def read(file: Path) -> list[dict[str, Any]]:
    """Return the rows of an exported file."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    text = data.decode("utf-8")
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n")[:-1]]
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def key_id(key: str = KEY) -> str:
    """Return the id of a key, computed with Python's own HMAC."""
    return hmac.new(key.encode(), b"orgo-insights export key", "sha256").hexdigest()[:16]


def mask(value: object, organization_id: str, key: str = KEY) -> str:
    """Return the mask of a value, worked out with Python's own HMAC."""
    own = hmac.digest(key.encode(), organization_id.encode(), "sha256")
    return hmac.new(own, str(value).encode(), "sha256").hexdigest()[:32]
