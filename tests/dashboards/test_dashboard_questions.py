"""Definitions, access and keys: what needs neither a cache nor a warehouse."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import ALL, OPEN, found
from support.dashboards.dashboard_settings import changed
from support.policy import manifest, with_own_exposures

from orchestration.config.files import Settings
from orchestration.config.tokens import Visibility
from orchestration.dashboards import access
from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.definitions import dashboards
from orchestration.dashboards.query import statement
from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warehouse import Warehouse
from orchestration.errors import InsightsError
from orchestration.warehouse.names import Names

ONE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def make_reader(settings: Settings, **values: Any) -> Reader:
    settings = changed(settings, {key.replace("__", "."): value for key, value in values.items()})
    return Reader(settings, found(), Warehouse(settings, "postgresql://nobody@/nothing?host=/nowhere"))


def key(reader: Reader, request: Asked) -> str:
    return cache_key(reader.question(request)).entry


def test_the_six_dashboards_are_there_and_each_has_an_owner() -> None:
    six = {"task_volume", "sla_breaches", "profile_score", "open_patterns", "monthly_trends", "overview"}
    assert six <= found().keys()
    for exposure in manifest()["exposures"].values():
        assert exposure["owner"]["email"], exposure["name"]


def test_every_panel_is_bounded_by_organization_visibility_and_limit() -> None:
    panels = 0
    for dashboard in found().values():
        for form in ("plain", "anonymised") if dashboard.has_anonymised_form else ("plain",):
            text = statement(dashboard, form, Names("insights", "public")).text.as_string()
            reads = re.findall(r"\n    from (\S+)\n    where (.*)", text)
            assert len(reads) == len(dashboard.meta.panels)
            for relation, where in reads:
                assert relation.startswith('"insights"."'), relation
                bounds = "organization_id = %(organization)s and visibility = any(%(visibilities)s) and ("
                assert where.startswith(bounds), f"{dashboard.name} {relation}"
                suppressed = where.endswith(
                    "(least(event_count, coalesce(distinct_sources, event_count)) >= %(min_group_size)s)"
                )
                assert suppressed == (form == "anonymised")
            assert text.count(" limit ") == len(reads) + text.count("order by load_log_id desc limit 1")
            panels += len(reads)
    assert panels >= 18


def test_the_anonymised_form_shows_nothing_that_identifies_a_person() -> None:
    forbidden = re.compile(r"_id|ids|label|role|location|_at|episode|window|peak|first|last|case_", re.I)
    for dashboard in found().values():
        for panel in dashboard.meta.panels.values():
            if panel.anonymised:
                shown = [*panel.anonymised.dimensions.values(), *panel.anonymised.measures.values()]
                assert [text for text in shown if forbidden.search(text)] == []
    assert [name for name, dashboard in found().items() if dashboard.has_anonymised_form] == ["open_patterns"]


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("ttl", "dashboard_fast", "ttl: must be one of dashboard_default, dashboard_slow, streaming_like"),
        ("color", "red", "color: this key is unknown"),
        ("panels.by_day.model", "fact_tasks", "panels.by_day.model: fact_tasks is not in depends_on"),
        (
            "panels.by_day.where",
            "day > {hori}",
            "panels.by_day: {hori} is unknown. Known here: days, horizon, severities",
        ),
        ("panels.by_day.where", "day > {}", "panels.by_day: {} is unknown"),
        ("panels.by_day.where", "day > {days", "panels.by_day: braces must enclose a name"),
        ("panels.by_day.measures", {}, "panels.by_day.measures: Dictionary should have at least 1 item"),
        ("panels.by_day.limit", 0, "panels.by_day.limit: must be greater than 0"),
        ("panels.by_day.measures", {"tasks": "sum({min_group_size})"}, "panels.by_day: {min_group_size} is unknown"),
        ("parameters.days.default", 0, "parameters.days.default: must be between 1 and 366"),
        ("parameters.days.min", 400, "parameters.days.min: is above max (366)"),
        ("parameters.days.type", "number", "parameters.days: 'type' is 'number', and must be one of 'integer'"),
        ("parameters.severities.values", ["A", "A"], "parameters.severities.values: must be distinct"),
        ("parameters.organization", {"type": "integer"}, "parameters.organization.description: this key is missing"),
    ],
)
def test_a_wrong_definition_is_said_with_file_dashboard_and_key(path: str, value: Any, says: str) -> None:
    wrong = with_own_exposures()
    place = wrong["exposures"]["exposure.orgo_insights.task_volume"]["config"]["meta"]["dashboard"]
    *parents, last = path.split(".")
    for name in parents:
        place = place[name]
    place[last] = value
    beginning = "models/exposures/_dashboards.yml: dashboard task_volume: config.meta.dashboard."
    with pytest.raises(InsightsError, match=re.escape(beginning + says)):
        dashboards(wrong)


# Roles, and what they may see by the lists (public, internal, restricted) next to them.
@pytest.mark.parametrize(
    ("lists", "roles", "sees"),
    [
        ((["*"], ["*"], []), {"teacher"}, OPEN),
        ((["*"], ["staff"], []), {"teacher"}, ("PUBLIC",)),
        ((["*"], ["staff"], []), {"teacher", "staff"}, OPEN),
        ((["*"], ["*"], ["auditor"]), {"auditor"}, ALL),
        ((["*"], ["*"], ["auditor"]), {"Auditor"}, OPEN),
        ((["*"], ["*"], ["auditor"]), {"auditor "}, OPEN),
        ((["*"], ["*"], ["auditor"]), {"audit"}, OPEN),
        ((["auditor"], ["auditor"], ["auditor"]), {"teacher"}, ()),
        ((["*"], ["*"], ["*"]), {"teacher"}, ALL),
    ],
)
def test_the_lists_decide_what_a_role_sees(
    settings: Settings, lists: tuple[list[str], ...], roles: set[str], sees: tuple[Visibility, ...]
) -> None:
    names = ("access.public_roles", "access.internal_roles", "access.restricted_roles")
    rules = changed(settings, dict(zip(names, lists, strict=True))).insights.access
    assert access.visible(rules, roles) == sees
    for size in (1, 2, 3):
        for wanted in itertools.combinations(ALL, size):
            if set(wanted) <= set(sees):
                access.check_plain(rules, frozenset(roles), wanted)
            else:
                with pytest.raises(AccessRefusedError):
                    access.check_plain(rules, frozenset(roles), wanted)


def test_a_refusal_names_what_is_allowed_instead(settings: Settings) -> None:
    message = re.escape(
        "The question is about PUBLIC, INTERNAL, RESTRICTED, but the roles nurse, teacher may see PUBLIC, INTERNAL"
        " only. Request only: --visibility PUBLIC --visibility INTERNAL"
    )
    with pytest.raises(AccessRefusedError, match=message):
        make_reader(settings).ask(Asked("overview", ONE), ["teacher", "nurse"])


def test_access_is_decided_before_cache_and_warehouse_are_looked_at(settings: Settings) -> None:
    reader = make_reader(settings, cache__url="redis://127.0.0.1:1/0")
    with pytest.raises(AccessRefusedError):
        reader.ask(Asked("overview", "no such organization"), ["teacher"])
    with pytest.raises(AccessRefusedError):
        reader.ask(Asked("open_patterns", ONE, is_anonymised=True), ["teacher"])
    assert reader.answers.counters.waiting() == {}
    with pytest.raises(InsightsError, match="Cannot connect to PostgreSQL"):
        reader.ask(Asked("overview", ONE, OPEN), ["teacher"])


@pytest.mark.parametrize("roles", [[], [""], [" "], ["*"], ["teacher", "*"]])
def test_a_user_without_roles_sees_nothing(settings: Settings, roles: list[str]) -> None:
    with pytest.raises(AccessRefusedError):
        make_reader(settings).ask(Asked("overview", ONE, ["PUBLIC"]), roles)


def test_equal_questions_have_one_key(settings: Settings) -> None:
    reader = make_reader(settings)
    same = [
        Asked("task_volume", ONE),
        Asked("task_volume", ONE.upper()),
        Asked("task_volume", ONE, ALL),
        Asked("task_volume", ONE, {"RESTRICTED", "PUBLIC", "INTERNAL"}),
        Asked("task_volume", ONE, ["RESTRICTED", "PUBLIC", "PUBLIC", "INTERNAL"]),
        Asked("task_volume", ONE, parameters={"days": 28}),
        Asked("task_volume", ONE, parameters={"days": "28"}),
        Asked("task_volume", ONE, parameters={"days": "028"}),
        Asked("task_volume", ONE, parameters={"days": None}),
        Asked("task_volume", ONE, parameters={"severities": "CRITICAL,MAJOR,MODERATE,MINOR", "days": 28}),
        Asked("task_volume", ONE, parameters={"severities": ["MINOR", "MAJOR", "MODERATE", "CRITICAL", "MINOR"]}),
    ]
    assert len({key(reader, request) for request in same}) == 1
    assert key(reader, same[0]).startswith(
        f"insights:dev:{{task_volume}}:entry:{ONE}:plain:PUBLIC+INTERNAL+RESTRICTED:"
    )


def test_questions_that_differ_in_anything_have_different_keys(settings: Settings) -> None:
    reader = make_reader(settings)
    requests = [
        Asked("task_volume", organization, visibilities, parameters=parameters)
        for organization in (ONE, OTHER)
        for size in (1, 2, 3)
        for visibilities in itertools.combinations(ALL, size)
        for parameters in ({}, {"days": 27}, {"severities": "MAJOR"}, {"severities": "MAJOR,MINOR"})
    ]
    requests += [Asked(name, ONE) for name in found() if name != "task_volume"]
    requests += [Asked("monthly_trends", ONE, parameters={"until": month}) for month in ("2025-11", "2025-12")]
    requests += [Asked("open_patterns", ONE, is_anonymised=True)]
    keys = [key(reader, one) for one in requests]
    keys.append(key(make_reader(settings, exports__min_group_size=6), requests[-1]))
    keys.append(key(_in(settings, "staging"), requests[0]))
    changed_dashboard = found()
    task_volume = changed_dashboard["task_volume"]
    panel = task_volume.meta.panels["by_day"].model_copy(update={"limit": 7})
    meta = task_volume.meta.model_copy(update={"panels": task_volume.meta.panels | {"by_day": panel}})
    changed_dashboard["task_volume"] = task_volume.model_copy(update={"meta": meta})
    keys.append(key(Reader(settings, changed_dashboard, Warehouse(settings, "")), requests[0]))
    assert len(set(keys)) == len(keys) == 2 * 7 * 4 + (len(found()) - 1) + 2 + 1 + 3


def _in(settings: Settings, environment: Any) -> Reader:
    from dataclasses import replace  # noqa: PLC0415

    return Reader(replace(settings, environment=environment), found(), Warehouse(settings, ""))


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"days": 0}, "Parameter days is 0; it must be a whole number from 1 to 366."),
        ({"days": 367}, "a whole number from 1 to 366"),
        ({"days": "1e2"}, "a whole number from 1 to 366"),
        ({"days": "٣"}, "a whole number from 1 to 366"),
        ({"days": True}, "a whole number from 1 to 366"),
        ({"days": 7.0}, "a whole number from 1 to 366"),
        ({"day": 7}, "has no parameter 'day'. It has: days, severities."),
        ({"severities": ""}, "must be any of MINOR, MODERATE, MAJOR, CRITICAL, comma-separated"),
        ({"severities": []}, "must be any of MINOR"),
        ({"severities": "major"}, "must be any of MINOR"),
        ({"severities": {"MAJOR": 1}}, "must be any of MINOR"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(settings: Settings, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(InsightsError, match=re.escape(says)):
        make_reader(settings).question(Asked("task_volume", ONE, parameters=parameters))


@pytest.mark.parametrize("month", ["2025-13", "2025-1", "1969-12", "2100-01", 202511, "2025-11-01", "2025-11\n"])
def test_a_month_that_is_none_is_refused(settings: Settings, month: object) -> None:
    with pytest.raises(InsightsError, match="a month such as 2025-11, 1970-01 to 2099-12"):
        make_reader(settings).question(Asked("monthly_trends", ONE, parameters={"until": month}))
