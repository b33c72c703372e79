"""The reviews of the real incident log against a plain Python implementation of the same rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.incidents.incident_database import imported
from support.operational_rows import read_operational
from support.pattern_rows import Pattern, differences, stored_patterns
from support.reviews_by_hand import CADENCES, expected_patterns, read_rules, review_date
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT, Settings
from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres

pytestmark = [pytest.mark.services, pytest.mark.incident_log]

AS_OF = date(2016, 6, 1)
BEFORE_THE_LOG = date(2016, 1, 1)


SELECTION = ("--select", "+path:models/marts/patterns", "--exclude-resource-type", "test", "unit_test")


@pytest.fixture(scope="module")
def incidents(
    postgres: LocalPostgres, settings: Settings, incident_log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    """Return a warehouse with the imported log, before any build."""
    rejected = tmp_path_factory.mktemp("import") / "rejected.csv"
    return imported(Warehouse("incident_patterns", postgres, settings), incident_log, rejected)


def reviewed(warehouse: Warehouse) -> dict[str, list[Pattern]]:
    """Build the reviews of June 1, compare them with plain Python on the same tables, and return their rows."""
    result = warehouse.build(*SELECTION, as_of=AS_OF)
    assert result.succeeded, result.output
    with connect(warehouse.admin_url) as connection:
        rows = read_operational(connection)
    found = {}
    for cadence in CADENCES:
        found[cadence] = stored_patterns(warehouse, cadence, review_date(AS_OF, cadence))
        expected = expected_patterns(rows, read_rules(PROJECT), AS_OF, cadence, held_since=BEFORE_THE_LOG)
        assert not differences(found[cadence], expected)
    return found


def test_the_reviews_of_the_log_agree(incidents: Warehouse) -> None:
    found = reviewed(incidents)
    kinds = {pattern.kind for pattern in found["monthly"]}
    assert kinds == {"incident_frequency", "high_risk_indicator", "cross_department_trend"}
    assert found["weekly"]
    assert not found["yearly"], "the log begins after 1 January"
