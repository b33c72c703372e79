"""The seed of the kinds of pattern says what decision D6 and section 5 of the source contract say."""

from __future__ import annotations

import csv

import pytest
from support.policy import manifest
from support.warehouse import Warehouse

from orchestration.reviews.kinds import SEEDS, pattern_kinds

# Kind: grouped by, counted, switch, cap, whether sources matter, departments; whether it is in the weekly, monthly and
# yearly review and asks for a case; the parts of the label of that case.
KINDS = {
    "incident_frequency": ("incident", "all", "", "0", "true", "0", *["true"] * 4, "11", "0", "", "Audit"),
    "high_risk_indicator": (
        *("incident", "high_risk", "high_risk_indicators", "3", "false", "0"),
        *(*["true"] * 4, "2", "0", "", "Review"),
    ),
    "cross_department_trend": (
        *("category", "all", "cross_departmental_trends", "0", "true", "2"),
        *(*["true"] * 4, "2", "4", "Leadership", "Review"),
    ),
    "needs_attention": (
        *("incident", "unresolved", "", "1", "false", "0"),
        *("true", "false", "false", "false", "0", "0", "", ""),
    ),
}


def test_the_kinds_are_those_of_the_decision() -> None:
    with (SEEDS / "pattern_kinds.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.reader(file)]
    assert rows[0][:4] == ["kind", "display_name", "title", "explanation"]
    assert {row[0]: tuple(row[4:]) for row in rows[1:]} == KINDS
    assert list(pattern_kinds()) == list(KINDS)


def test_every_switch_is_a_column_of_the_profiles() -> None:
    columns = manifest()["nodes"]["model.orgo_insights.int_applicable_profiles"]["columns"]
    switches = {values[2] for values in KINDS.values()} - {""}
    assert switches and switches <= columns.keys()


def test_the_dashboard_offers_every_kind() -> None:
    exposure = manifest()["exposures"]["exposure.orgo_insights.open_patterns"]
    assert exposure["config"]["meta"]["dashboard"]["parameters"]["kinds"]["values"] == list(KINDS)


@pytest.mark.services
def test_readers_may_join_the_kinds_with_the_patterns(built: Warehouse) -> None:
    columns = built.rows(
        """
        select column_name, has_column_privilege('orgo_insights_ro', 'insights.pattern_kinds', column_name, 'select')
        from information_schema.columns where table_schema = 'insights' and table_name = 'pattern_kinds'
        """
    )
    assert len(columns) == 4 + len(KINDS["needs_attention"])
    assert all(readable for _, readable in columns)
