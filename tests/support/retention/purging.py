"""Purges of a warehouse, as the role that loads it; `pytest_plugins` names this module for its fixture."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.config.tokens import PerEnvironment
from orchestration.retention.plan import Retained, load_plan
from orchestration.retention.purge import PurgeReport, preview, purge
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

# 730 days before it is 2024-03-01: 366 - 60 of 2024, 365 of 2025, 59 of 2026.
AS_OF = date(2026, 3, 1)

RAW_CUTOFF = date(2024, 3, 1)


@pytest.fixture(scope="module")
def plan(settings: Settings) -> list[Retained]:
    """Return the plan of the project."""
    return load_plan(settings)


def with_days(settings: Settings, days: dict[str, int]) -> Settings:
    everywhere = {name: PerEnvironment.model_validate(number) for name, number in days.items()}
    retention = settings.insights.retention.model_copy(update=everywhere)
    return replace(settings, insights=settings.insights.model_copy(update={"retention": retention}))


def run_purge(
    warehouse: Warehouse, settings: Settings, plan: list[Retained], as_of: date | None = AS_OF
) -> PurgeReport:
    with connect(warehouse.etl_url, autocommit=True) as connection:
        return purge(Database(settings, connection), plan, as_of)


def run_preview(
    warehouse: Warehouse, settings: Settings, plan: list[Retained], as_of: date | None = AS_OF
) -> PurgeReport:
    with connect(warehouse.etl_url, autocommit=True) as connection:
        return preview(Database(settings, connection), plan, as_of)


def rows_by_relation(report: PurgeReport) -> dict[str, int]:
    return {line.relation: line.rows for line in report.relations}
