"""Checks the invariants of sections 2 and 3 of the specification.

A broken invariant that protects a review is an error in environments where the DAG of the review is enabled, and a
warning in others (decision D1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise

from orchestration.config.model import Cadence
from orchestration.config.problems import KeyPath, Level, Problem, dotted
from orchestration.config.rule import Rule, broken, fits
from orchestration.config.settings import Settings
from orchestration.config.tokens import ENVIRONMENTS, Environment, PerEnvironment
from orchestration.config.yaml_reader import Place

# The DAG of each cadence's review, in the order of their windows.
REVIEWS = {
    "weekly": "weekly_pattern_review",
    "monthly": "monthly_trend_report",
    "yearly": "yearly_systemic_review",
}
# Maximum days from the second newest review to the last day before the next one: the newest review, also when it is run
# again on that day, reads the rows of the second newest to decide whether a pattern is new.
REVIEW_SPAN_DAYS = {"weekly": 7 + 7 - 1, "monthly": 31 + 31 - 1, "yearly": 365 + 366 - 1}
MINUTES_PER_DAY = 1440
CRITICAL = ("high", "critical")

_PATTERNS: KeyPath = ("insights", "patterns")
_RETENTION: KeyPath = ("insights", "retention")
_OFFLINE: KeyPath = ("insights", "offline", "enabled")
_RPO: KeyPath = ("insights", "backups", "rpo_minutes")


def invariant_problems(settings: Settings) -> list[Problem]:
    """Return every broken invariant in every environment (see Problem.environment)."""
    return broken(invariants(settings), settings)


def invariants(settings: Settings) -> list[Rule]:
    """Return the invariants as rules."""
    raw, aggregated, results = (
        (*_RETENTION, f"{name}_retention_days") for name in ("raw_event", "aggregated", "pattern_result")
    )
    return [
        *(Rule(partial(_raw_retention_holds_a_window, name), (raw, _window(name), *_runs(name))) for name in REVIEWS),
        Rule(_aggregates_outlive_facts, (raw, aggregated, *_runs("monthly"))),
        *(Rule(partial(_pattern_results_hold_a_review, n), (results, _window(n), *_runs(n))) for n in REVIEWS),
        *chain.from_iterable(_nesting(short, long) for short, long in pairwise(REVIEWS)),
        Rule(
            _recovery_is_within_critical_windows,
            (_RPO, *map(_window, REVIEWS), *_runs(*REVIEWS), ("profiles",), *_critical(settings)),
        ),
    ]


def _window(cadence: str) -> KeyPath:
    return (*_PATTERNS, cadence, "window_days")


def _events(cadence: str) -> KeyPath:
    return (*_PATTERNS, cadence, "min_events")


def _runs(*cadences: str) -> tuple[KeyPath, ...]:
    """Return the paths that decide in which environments the reviews of these cadences run."""
    return (_OFFLINE, *(("dags", REVIEWS[cadence], "enabled_environments") for cadence in cadences))


def _nesting(short: str, long: str) -> tuple[Rule, Rule]:
    windows = (_window(short), _window(long), *_runs(short, long))
    return (
        Rule(partial(_windows_nest, short, long), windows),
        Rule(partial(_thresholds_rise, short, long), (_events(short), _events(long))),
    )


def _critical(settings: Settings) -> Iterator[KeyPath]:
    """Yield the paths that decide which windows of profiles are critical."""
    for name in settings.profiles if fits(settings, ("profiles",)) else ():
        yield ("profiles", name, "pattern_sensitivity")
        yield ("profiles", name, "cyclic_overview", "enabled")
        yield ("profiles", name, "cyclic_overview", "threshold_triggers", "incident_frequency", "window_days")


def place_of(settings: Settings, path: KeyPath) -> Place:
    """Return the place of a value; for a default, that of the nearest enclosing mapping."""
    while path and path not in settings.places:
        path = path[:-1]
    return settings.places.get(path, Place("config", 1))


def finding(settings: Settings, level: Level, path: KeyPath, value: object, says: str) -> Problem:
    """Return a problem with the value at a path of the files."""
    place = place_of(settings, path)
    return Problem(level, says, place.file, place.line, None, dotted(path), str(value))


def _raw_retention_holds_a_window(name: str, settings: Settings) -> Iterator[Problem]:
    what = f"patterns.{name}.window_days ({{}}), or the review misses cases"
    least = dict.fromkeys(ENVIRONMENTS, _cadence(settings, name).window_days)
    yield from _at_least(settings, _LowerBound("raw_event_retention_days", least, what, REVIEWS[name]))


def _aggregates_outlive_facts(settings: Settings) -> Iterator[Problem]:
    what = "raw_event_retention_days ({}), or months are deleted before their facts"
    raw = settings.insights.retention.raw_event_retention_days
    least = {environment: raw.of(environment) for environment in ENVIRONMENTS}
    yield from _at_least(settings, _LowerBound("aggregated_retention_days", least, what, REVIEWS["monthly"]))


def _pattern_results_hold_a_review(name: str, settings: Settings) -> Iterator[Problem]:
    days = max(_cadence(settings, name).window_days, REVIEW_SPAN_DAYS[name])
    what = f"{{}} days, which the {name} review reads"
    least = dict.fromkeys(ENVIRONMENTS, days)
    yield from _at_least(settings, _LowerBound("pattern_result_retention_days", least, what, REVIEWS[name]))


def _windows_nest(short: str, long: str, settings: Settings) -> Iterator[Problem]:
    """Check that the window of a longer cadence is longer."""
    shorter, longer = _cadence(settings, short).window_days, _cadence(settings, long).window_days
    if longer > shorter:
        return
    says = f"must be more than patterns.{short}.window_days ({shorter}): a longer cadence needs a longer window"
    for environment in ENVIRONMENTS:
        level = _level(settings, [REVIEWS[short], REVIEWS[long]], environment)
        yield replace(finding(settings, level, _window(long), longer, says), environment=environment)


def _thresholds_rise(short: str, long: str, settings: Settings) -> Iterator[Problem]:
    """Warn about a lower threshold over a longer window, which would only repeat the shorter review."""
    fewer, more = _cadence(settings, short).min_events, _cadence(settings, long).min_events
    if more < fewer:
        says = f"is below patterns.{short}.min_events ({fewer}), though the window is longer"
        yield finding(settings, "warning", _events(long), more, says)


def _recovery_is_within_critical_windows(settings: Settings) -> Iterator[Problem]:
    days, source = min(_critical_windows(settings))
    most = days * MINUTES_PER_DAY
    rpo = settings.insights.backups.rpo_minutes
    for environment in _environments(settings, _RPO):
        if rpo.of(environment) > most:
            says = f"must be at most {most}, the {days} days of {source}: the shortest window of a critical pattern"
            level = _level(settings, REVIEWS.values(), environment)
            problem = finding(settings, level, (*_RPO, environment), rpo.of(environment), says)
            yield replace(problem, environment=environment)


def _critical_windows(settings: Settings) -> Iterator[tuple[int, str]]:
    """Yield (days, source) of the windows of reviews and of profiles with high or critical sensitivity."""
    for name in REVIEWS:
        yield _cadence(settings, name).window_days, f"patterns.{name}.window_days"
    for name, profile in settings.profiles.items():
        if profile.cyclic_overview.enabled and profile.pattern_sensitivity in CRITICAL:
            days = profile.cyclic_overview.threshold_triggers.incident_frequency.window_days
            yield days, f"the profile {name}"


@dataclass(frozen=True)
class _LowerBound:
    """The minimum of a retention in each environment, its meaning in words, and the DAG that needs it."""

    key: str
    least: Mapping[Environment, int]
    what: str
    dag: str


def _at_least(settings: Settings, bound: _LowerBound) -> Iterator[Problem]:
    days: PerEnvironment = getattr(settings.insights.retention, bound.key)
    path: KeyPath = (*_RETENTION, bound.key)
    for environment in _environments(settings, path):
        least = bound.least[environment]
        if days.of(environment) < least:
            says = f"must be at least {bound.what.format(least)}"
            level = _level(settings, [bound.dag], environment)
            problem = finding(settings, level, (*path, environment), days.of(environment), says)
            yield replace(problem, environment=environment)


def _level(settings: Settings, dags: Iterable[str], environment: Environment) -> Level:
    return "error" if any(settings.is_enabled(dag, environment) for dag in dags) else "warning"


def _environments(settings: Settings, path: KeyPath) -> list[Environment]:
    """Return the environments to report on; `offline` only if it is used or has its own value, not prod's."""
    is_used = settings.environment == "offline" or settings.insights.offline.enabled
    return [e for e in ENVIRONMENTS if e != "offline" or is_used or (*path, e) in settings.places]


def _cadence(settings: Settings, name: str) -> Cadence:
    cadence: Cadence = getattr(settings.insights.patterns, name)
    return cadence
