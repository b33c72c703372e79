"""The invariants of retention (specification 2.1): what a review or an aggregate needs must not be purged.

By decision D1 a broken one is an error where a review that needs it is enabled, and a warning elsewhere.
"""

from __future__ import annotations

from orchestration.config.files import Settings, per_environment
from orchestration.config.model import PerEnvironment
from orchestration.errors import InsightsError

# Where each review is enabled (specification 4.1; offline is a no-op unless enabled, section 4.2).
REVIEW_ENVIRONMENTS: dict[str, frozenset[str]] = {
    "weekly": frozenset({"staging", "prod"}),
    "monthly": frozenset({"staging", "prod"}),
    "yearly": frozenset({"prod"}),
}

# Days from the review before the latest one to the day before the next: that review's rows tell whether a pattern is
# new, whatever day the latest is run again.
REVIEW_SPAN_DAYS = {"weekly": 13, "monthly": 61, "yearly": 730}


def retention_days(settings: Settings, name: str) -> int:
    """The days of `insights.retention.<name>_retention_days` in this environment; one without a value takes prod's."""
    value: PerEnvironment = getattr(settings.insights.retention, f"{name}_retention_days")
    days = per_environment(value)
    return days.get(settings.environment, days["prod"])


def check_floors(settings: Settings) -> list[str]:
    """The broken invariants that matter to nothing enabled here, as sentences.

    Raises InsightsError with every one that an enabled review needs.
    """
    findings = [*_windows(settings), *_aggregates(settings), *_pattern_results(settings)]
    errors = [sentence for sentence, review in findings if settings.environment in REVIEW_ENVIRONMENTS[review]]
    if errors:
        raise InsightsError("Nothing was purged, for it would take what is still needed:\n  " + "\n  ".join(errors))
    return [sentence for sentence, _ in findings]


def _windows(settings: Settings) -> list[tuple[str, str]]:
    days, key = retention_days(settings, "raw_event"), _key(settings, "raw_event")
    return [
        (
            f"{key} is {days}, but the {name} review looks back over insights.patterns.{name}.window_days = {window}"
            f" days: make the first at least {window} or the second at most {days}.",
            name,
        )
        for name in REVIEW_ENVIRONMENTS
        if (window := getattr(settings.insights.patterns, name).window_days) > days
    ]


def _aggregates(settings: Settings) -> list[tuple[str, str]]:
    days, raw = retention_days(settings, "aggregated"), retention_days(settings, "raw_event")
    if days >= raw:
        return []
    # The monthly trend report is the aggregate of raw events that dashboards read.
    return [
        (
            f"{_key(settings, 'aggregated')} is {days}, but aggregates must outlive the {raw} days of"
            f" {_key(settings, 'raw_event')}: make it at least {raw}.",
            "monthly",
        )
    ]


def _pattern_results(settings: Settings) -> list[tuple[str, str]]:
    days, key = retention_days(settings, "pattern_result"), _key(settings, "pattern_result")
    horizons = {
        name: max(getattr(settings.insights.patterns, name).window_days, REVIEW_SPAN_DAYS[name])
        for name in REVIEW_ENVIRONMENTS
    }
    return [
        (f"{key} is {days}, but the {name} review needs results of {horizon} days: make it at least {horizon}.", name)
        for name, horizon in horizons.items()
        if horizon > days
    ]


def _key(settings: Settings, name: str) -> str:
    return f"insights.retention.{name}_retention_days.{settings.environment}"
