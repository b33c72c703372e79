"""What tests of dashboards share: settings with other values, readers, and the organizations of the sample."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.dashboards.dashboard_settings import changed
from support.dashboards.pools import close_later
from support.policy import manifest
from support.warehouse import Warehouse

from orchestration.cache.answers import Answer
from orchestration.cache.store import Store
from orchestration.config.tokens import Visibility
from orchestration.dashboards import reader as reader_module
from orchestration.dashboards.definitions import Dashboard, dashboards
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warehouse import Warehouse as ReadWarehouse
from workshop.services import LocalRedis

HOSPITAL, STORES = "sample-hospital", "sample-stores"
# Everybody may see PUBLIC and INTERNAL, as shipped; these two lists are shipped empty.
ACCESS = {"access.restricted_roles": ["auditor"], "access.anonymised_roles": ["analyst"]}
# A Redis or a computation that stands still for a while on a busy machine is no fault: shipped are 200 ms and 30 s.
PATIENT = {"cache.timeout_ms": 60_000, "cache.compute_seconds": 300}
ALL: tuple[Visibility, ...] = ("PUBLIC", "INTERNAL", "RESTRICTED")
OPEN: tuple[Visibility, ...] = ("PUBLIC", "INTERNAL")


def found() -> dict[str, Dashboard]:
    """Return the project's dashboards."""
    return dashboards(manifest())


def open_reader(
    warehouse: Warehouse,
    redis: LocalRedis | None = None,
    dashboards: dict[str, Dashboard] | None = None,
    url: str | None = None,
    **values: Any,
) -> Reader:
    """Return a reader as the read-only role; `values` are settings, a dot written as two underscores.

    Its connections end with the test.
    """
    given = {key.replace("__", "."): value for key, value in values.items()}
    cache = {"cache.url": redis.url()} if redis else {}
    settings = changed(warehouse.settings, ACCESS | PATIENT | cache | given)
    connections = ReadWarehouse(settings, url or warehouse.reader_url)
    close_later(connections)
    return Reader(settings, dashboards or found(), connections)


def patient_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Redis as much time in what reads the shipped configuration."""
    monkeypatch.setattr(reader_module, "Store", lambda url, _, pause: Store(url, 60, pause))


def rows(answer: Answer, panel: str) -> list[dict[str, Any]]:
    """Return the rows of a panel; none may be left out."""
    content = json.loads(answer.entry.body)[panel]
    assert content["left_out"] == 0
    listed: list[dict[str, Any]] = content["rows"]
    return listed
