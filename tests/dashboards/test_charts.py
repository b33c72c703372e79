"""Units, titles, charts and drills of panels: what may be declared, and what is declared."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import found
from support.policy import with_own_exposures

from orchestration.dashboards.definitions import dashboards
from orchestration.dashboards.panels import Columns, Unit
from orchestration.dashboards.units import readable
from orchestration.errors import MisconfiguredError

# dimensions: domain, profile; measures: three of each limit, of which one is a share.
LIMITS = ("sla_breaches", "by_domain")
# dimensions: day, status; measure: tasks.
DAYS = ("task_volume", "by_day")
BAR = {"mark": "bar", "x": "domain"}


def declared() -> list[tuple[str, Columns]]:
    """Return every panel and anonymised panel with its name."""
    panels = [(f"{d.name}.{name}", panel) for d in found().values() for name, panel in d.meta.panels.items()]
    return [*panels, *((f"{name}.anonymised", panel.anonymised) for name, panel in panels if panel.anonymised)]


@pytest.mark.parametrize(
    ("place", "key", "value", "says"),
    [
        (LIMITS, "chart", {**BAR, "y": ["tasks"], "color": "red"}, "chart.color: this key is unknown"),
        (LIMITS, "chart", {**BAR, "y": ["tasks"], "mark": "pie"}, "chart.mark: must be one of line, bar"),
        (LIMITS, "chart", {**BAR, "y": []}, "chart.y: List should have at least 1 item"),
        (
            LIMITS,
            "chart",
            {"mark": "bar", "x": "day", "y": ["tasks"]},
            "chart.x: day is not a dimension. The dimensions: domain, profile",
        ),
        (LIMITS, "chart", {**BAR, "y": ["tasks"], "series": "tasks"}, "chart.series: tasks is not a dimension."),
        (LIMITS, "chart", {**BAR, "y": ["profile"]}, "chart.y: profile is not a measure. The measures: completion_br"),
        (LIMITS, "chart", {**BAR, "y": ["tasks", "tasks"]}, "chart.y: must be distinct"),
        (
            LIMITS,
            "chart",
            {**BAR, "y": ["tasks", "reactivity_share"]},
            "chart.y: has the units count, share; one axis shows one unit",
        ),
        (LIMITS, "chart", {**BAR, "y": ["tasks"], "series": "domain"}, "chart.series: domain is x already"),
        (
            LIMITS,
            "chart",
            {**BAR, "y": ["tasks", "reactivity_decided"], "series": "profile"},
            "chart.y: must be one measure, because each value of series has a line or bar",
        ),
        (
            LIMITS,
            "chart",
            {**BAR, "mark": "line", "y": ["tasks"]},
            "chart.mark: a line needs a day or month as x; domain has the unit text; write bar",
        ),
        (LIMITS, "chart", {**BAR, "y": ["tasks"], "stack": True}, "chart.stack: needs series, or several measures"),
        (
            LIMITS,
            "chart",
            {**BAR, "y": ["reactivity_share"], "series": "profile", "stack": True},
            "chart.stack: would add up values of the unit share; only count, seconds can be added up",
        ),
        (
            LIMITS,
            "chart",
            {**BAR, "y": ["reactivity_share"]},
            "chart.y: has the unit share, which cannot be added up over profile; draw them as x or series",
        ),
        (
            DAYS,
            "units",
            {"tasks": "flag"},
            "chart.y: has the unit flag; only count, seconds, share, percent can be drawn",
        ),
        (DAYS, "units", {"day": "week"}, "units.day: must be one of count, seconds, share"),
        (DAYS, "units", {"hour": "count"}, "units.hour: is not a column. The columns: day, status, tasks"),
        (DAYS, "titles", {"hour": "Hour"}, "titles.hour: is not a column."),
        (DAYS, "drill", {"to": "nowhere", "by": {"kind": "status"}}, "drill.to: must be patterns or a dashboard, not"),
        (DAYS, "drill", {"to": "patterns", "by": {"day": "day"}}, "drill.by.day: is not a parameter of patterns"),
        (DAYS, "drill", {"to": "overview", "by": {"days": "tasks"}}, "drill.by.days: tasks is not a dimension of the"),
        (
            DAYS,
            "drill",
            {"to": "patterns", "by": {"kind": "status"}, "fixed": {"review": "weekly"}},
            "drill.fixed.review: is not a parameter of patterns",
        ),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_place(place: tuple[str, str], key: str, value: Any, says: str) -> None:
    dashboard, panel = place
    wrong = with_own_exposures()
    meta = wrong["exposures"][f"exposure.orgo_insights.{dashboard}"]["config"]["meta"]["dashboard"]
    meta["panels"][panel][key] = value
    expected = f"_dashboards.yml: dashboard {dashboard}: config.meta.dashboard.panels.{panel}.{says}"
    with pytest.raises(MisconfiguredError, match=re.escape(expected)):
        dashboards(wrong)


def test_the_anonymised_form_is_checked_too() -> None:
    wrong = with_own_exposures()
    meta = wrong["exposures"]["exposure.orgo_insights.open_patterns"]["config"]["meta"]["dashboard"]
    meta["panels"]["weekly"]["anonymised"]["chart"]["x"] = "label"
    with pytest.raises(MisconfiguredError, match=r"panels\.weekly\.anonymised\.chart\.x: label is not a dimension"):
        dashboards(wrong)


def test_what_is_a_quotient_is_a_share_or_a_percentage() -> None:
    quotients = {
        (f"{panel}.{name}", columns.unit(name))
        for panel, columns in declared()
        for name, text in columns.measures.items()
        if "nullif(" in text
    }
    assert {"sla_breaches.by_day.reactivity_share", "profile_score.total.score"} <= {name for name, _ in quotients}
    assert {unit for _, unit in quotients} == {"share", "percent"}
    assert {name for name, unit in quotients if unit == "percent"} == {
        *("profile_score.by_domain.score", "profile_score.total.score", "overview.deadlines.score"),
        "targets.by_month.percent",
    }


def test_each_panel_with_several_groups_of_counts_has_a_chart_or_is_a_list_of_things() -> None:
    without = {name for name, columns in declared() if columns.dimensions and not columns.chart}
    assert without == {
        "missed_tasks.tasks",
        "tasks_at_risk.tasks",
        *(f"open_patterns.{name}" for name in ("weekly", "monthly", "yearly")),
    }


def test_a_column_without_unit_and_title_has_those_of_its_kind() -> None:
    columns = Columns(dimensions={"some_place": "a"}, measures={"number_of": "count(*)"}, order="1")
    assert (columns.unit("some_place"), columns.unit("number_of")) == ("text", "count")
    assert (columns.title("some_place"), columns.title("number_of")) == ("Some place", "Number of")


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share", 0.6866, "68.7%"),
        ("share", 0.0625, "6.3%"),
        ("share", 0.1385, "13.9%"),
        ("share", 0, "0.0%"),
        ("share", 1, "100.0%"),
        ("percent", 0.08, "0.1%"),
        ("percent", 68.66, "68.7%"),
        ("seconds", 0, "0 s"),
        ("seconds", 59, "59 s"),
        ("seconds", 60, "1 min"),
        ("seconds", 3_599, "59 min 59 s"),
        ("seconds", 3_605, "1 h"),
        ("seconds", 7_500, "2 h 5 min"),
        ("seconds", 86_400 * 1_200 + 3_600 * 23, "1,200 d 23 h"),
        ("seconds", -90.5, "-1 min 30 s"),
        ("count", 7, 7),
        ("share", None, None),
        ("token", "MINOR", "MINOR"),
        ("flag", True, True),
    ],
)
def test_a_value_is_written_as_people_read_it(unit: Unit, value: object, text: object) -> None:
    assert readable(unit, value) == text
