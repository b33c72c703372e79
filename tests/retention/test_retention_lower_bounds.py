"""What a purge must not take (specification 2.1, decision D1), and declarations of retention that cannot be kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.policy import lasting, manifest

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.manifest import Relation, relations
from orchestration.retention.lower_bounds import check_lower_bounds
from orchestration.retention.plan import retention_plan


def _changed(settings: Settings, environment: Any, days: dict[str, int], windows: dict[str, int]) -> Settings:
    """Return the settings of an environment with other retention days and windows."""
    insights = settings.insights
    retention = {
        f"{name}_retention_days": getattr(insights.retention, f"{name}_retention_days").model_copy(
            update={environment: value}
        )
        for name, value in days.items()
    }
    patterns = {
        name: getattr(insights.patterns, name).model_copy(update={"window_days": value})
        for name, value in windows.items()
    }
    insights = insights.model_copy(
        update={
            "retention": insights.retention.model_copy(update=retention),
            "patterns": insights.patterns.model_copy(update=patterns),
        }
    )
    return replace(settings, environment=environment, insights=insights)


# Shipped: raw 730 everywhere, aggregated and pattern results 90 in dev, at least 730 elsewhere; windows 28, 180, 730.
@pytest.mark.parametrize(("environment", "warnings"), [("dev", 3), ("staging", 0), ("prod", 0), ("offline", 0)])
def test_the_shipped_configuration_can_be_purged_with(settings: Settings, environment: str, warnings: int) -> None:
    # dev: aggregates below the facts, and results below the monthly and the yearly review.
    assert len(check_lower_bounds(_changed(settings, environment, {}, {}))) == warnings


RAW, AGGREGATED, RESULTS = "raw_event", "aggregated", "pattern_result"


@pytest.mark.parametrize(
    ("environment", "days", "windows", "sentence"),
    [
        # The edge is 730: a yearly window of as many days is whole on 1 January.
        (
            "prod",
            {RAW: 729},
            {},
            "prod is 729: must be at least patterns.yearly.window_days (730)",
        ),
        (
            "prod",
            {},
            {"yearly": 731},
            "prod is 730: must be at least patterns.yearly.window_days (731)",
        ),
        ("prod", {RAW: 179}, {"yearly": 179}, "is 179: must be at least patterns.monthly.window_days (180)"),
        ("staging", {RAW: 27}, {}, "is 27: must be at least patterns.weekly.window_days (28)"),
        (
            "prod",
            {AGGREGATED: 729},
            {},
            "prod is 729: must be at least raw_event_retention_days (730)",
        ),
        ("staging", {AGGREGATED: 729}, {}, "aggregated_retention_days.staging is 729"),
        (
            "prod",
            {RESULTS: 729},
            {},
            "is 729: must be at least 730 days, which the yearly review",
        ),
        # A rerun on 31 December 2025 asks the review of 1 January 2024 what is new: 730 days before it.
        ("prod", {RESULTS: 729}, {"yearly": 200}, "must be at least 730 days, which the yearly review reads"),
        # A rerun on 31 August asks the review of 1 July, 61 days before it.
        ("staging", {RESULTS: 60}, {"monthly": 29}, "must be at least 61 days, which the monthly review reads"),
        # A rerun on Sunday asks the review of the Monday before last, 13 days before it.
        ("staging", {RESULTS: 12}, {"weekly": 7}, "must be at least 13 days, which the weekly review reads"),
        ("staging", {RESULTS: 179}, {}, "must be at least 180 days, which the monthly review reads"),
    ],
)
def test_a_value_too_small_for_an_enabled_review_is_refused(
    settings: Settings, environment: str, days: dict[str, int], windows: dict[str, int], sentence: str
) -> None:
    with pytest.raises(InsightsError) as refused:
        check_lower_bounds(_changed(settings, environment, days, windows))
    assert sentence in str(refused.value)
    assert str(refused.value).startswith("Nothing was purged")


@pytest.mark.parametrize(
    ("environment", "days", "sentence"),
    [
        # Staging makes no yearly review, dev and offline make none.
        ("staging", {RAW: 729, AGGREGATED: 730}, "must be at least patterns.yearly.window_days (730)"),
        ("staging", {RESULTS: 729}, "must be at least 730 days, which the yearly review reads"),
        ("dev", {RAW: 10, AGGREGATED: 90, RESULTS: 730}, "must be at least patterns.weekly.window_days (28)"),
        ("offline", {RAW: 27}, "raw_event_retention_days.offline is 27"),
    ],
)
def test_a_value_too_small_for_a_disabled_review_is_a_warning(
    settings: Settings, environment: str, days: dict[str, int], sentence: str
) -> None:
    assert any(sentence in warning for warning in check_lower_bounds(_changed(settings, environment, days, {})))


def test_offline_takes_the_days_of_prod(settings: Settings) -> None:
    assert settings.insights.retention.pattern_result_retention_days.of("offline") == 1825


FACT: dict[str, Any] = {"class": "raw_event", "date": "day"}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"class": "forever", "date": "day"}, "class: must be one of raw_event, aggregated, pattern_result"),
        ({"date": "day"}, "class: this key is missing"),
        ({"class": "none"}, "reason: this key is missing"),
        ({"class": "raw_event"}, "date: this key is missing"),
        ({"class": "raw_event", "date": "day", "days": 3}, "days: this key is unknown"),
        ({"class": "raw_event", "date": "day", "key": "id"}, "key: this key is unknown"),
        ({"with": "fact"}, "with: fact must have a unique_key in the config of its model"),
        (
            {"class": "raw_event", "date": "day", "dated_by": "fact"},
            "dated_by: wrong must have a unique_key in the config of its model",
        ),
        ({"with": "nothing"}, "with: nothing must have a class, and no `with` of its own"),
        ({"class": "raw_event", "date": "day", "dated_by": "nothing"}, "dated_by: nothing is not a model"),
    ],
)
def test_a_wrong_declaration_is_refused_with_file_relation_and_key(declared: dict[str, Any], problem: str) -> None:
    project = {
        "fact": Relation("fact", "insights", "fact", {"retention": FACT}),
        "wrong": Relation("wrong", "insights", "wrong", {"retention": declared}, "models/wrong.yml"),
    }
    with pytest.raises(InsightsError) as refused:
        retention_plan(project)
    assert str(refused.value) == f"models/wrong.yml: relation wrong: config.meta.retention.{problem}."


def test_every_relation_that_keeps_rows_says_for_how_long() -> None:
    keeping = lasting()
    assert [m["name"] for m in keeping if "retention" not in m["config"]["meta"]] == []
    planned = {retained.relation.name for retained in retention_plan(relations(manifest()))}
    kept_for_ever = {m["name"] for m in keeping} - planned
    assert kept_for_ever == {"dim_learning_groups"}
    # What is rebuilt whole needs no purge, but names leave with their persons, not with the next load (decision D203);
    # the log of deliveries goes with the outbox, and that of digests with the reviews.
    others = {"personal_persons", "review_deliveries", "digest_deliveries"}
    assert planned == {m["name"] for m in keeping} - kept_for_ever | others
