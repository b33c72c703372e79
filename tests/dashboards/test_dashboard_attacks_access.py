"""Attempts to see through a dashboard what the roles or the organization forbid. None succeeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, open_reader, rows
from support.warehouse import Warehouse

from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError

pytest_plugins = ["support.dashboards.cache_sessions"]
pytestmark = pytest.mark.services


@pytest.mark.parametrize("role", ["*", "**", "%", "", " ", "auditor*", ".*"])
def test_a_wildcard_as_a_role(reader: Reader, role: str) -> None:
    with pytest.raises(AccessRefusedError):
        reader.ask(Asked("overview", HOSPITAL), [role])


@pytest.mark.parametrize(
    "role", ["Auditor", "AUDITOR", " auditor", "auditor ", "auditor\n", "auditor\0", "\u0430uditor"]
)
def test_a_role_in_another_case_with_whitespace_or_letters_that_look_alike(reader: Reader, role: str) -> None:
    with pytest.raises(AccessRefusedError):
        reader.ask(Asked("overview", HOSPITAL), [role])
    assert reader.ask(Asked("overview", HOSPITAL), ["auditor"])


def test_roles_that_are_a_part_of_one_that_may(reader: Reader) -> None:
    for roles in (["audit"], ["a", "u", "d"], ["auditor,teacher"], ["auditors"], "auditor,teacher"):
        with pytest.raises(AccessRefusedError):
            reader.ask(Asked("overview", HOSPITAL), roles)


def test_the_answer_to_a_wider_role_is_in_the_cache(reader: Reader) -> None:
    wide = Asked("overview", HOSPITAL)
    seen = reader.ask(wide, ["auditor"])
    assert reader.ask(wide, ["auditor"]).outcome == "hits"
    with pytest.raises(AccessRefusedError):
        reader.ask(wide, ["teacher"])
    narrow = reader.ask(dataclasses.replace(wide, visibilities=OPEN), ["teacher"])
    assert narrow.outcome == "misses"
    assert sum(r["tasks"] for r in rows(narrow, "tasks")) < sum(r["tasks"] for r in rows(seen, "tasks"))


def test_a_refusal_for_an_organization_that_is_not_there_is_the_same(reader: Reader) -> None:
    messages = set()
    for organization in (HOSPITAL, "no-such-one", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(AccessRefusedError) as caught:
            reader.ask(Asked("overview", organization), ["teacher"])
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_refusal_is_the_same_with_and_without_strict_rows(built: Warehouse) -> None:
    messages = set()
    for empty in (False, True):
        if empty:
            built.execute("truncate insights.report_sla_breaches")
        with pytest.raises(AccessRefusedError) as caught:
            open_reader(built).ask(Asked("sla_breaches", HOSPITAL), ["teacher"])
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_two_organizations_at_once(warehouse: Warehouse, reader: Reader) -> None:
    ids = [str(warehouse.value("select id from organizations where slug = %s", slug)) for slug in (HOSPITAL, STORES)]
    for text in (",".join(ids), f"{ids[0]}' or '{ids[1]}", f"{{{ids[0]},{ids[1]}}}", f"{HOSPITAL},{STORES}"):
        with pytest.raises(InsightsError, match="There is no organization"):
            reader.ask(Asked("overview", text, OPEN), ["teacher"])


@pytest.mark.parametrize(
    "visibilities", [["ANONYMISED"], [*ALL, "ANONYMISED"], ["anonymised"], ["public"], [], "PUBLIC"]
)
def test_a_plain_question_for_anonymised_rows_or_for_an_invalid_set(reader: Reader, visibilities: Any) -> None:
    for roles in (["auditor", "analyst"], ["teacher"]):
        with pytest.raises(InsightsError, match=r"visibility|anonymised form only"):
            reader.ask(Asked("open_patterns", HOSPITAL, visibilities), roles)


class Changing(list[str]):
    """A set of visibilities that is another one each time it is looked at."""

    def __iter__(self) -> Iterator[str]:
        seen, self[:] = self.copy(), ["RESTRICTED"]
        return iter(seen)


def test_visibilities_that_change_after_they_were_checked(reader: Reader) -> None:
    right = reader.ask(Asked("overview", HOSPITAL, OPEN), ["teacher"])
    for sets in (Changing(OPEN), iter(OPEN)):
        answer = reader.ask(Asked("overview", HOSPITAL, sets), ["teacher"])  # type: ignore[arg-type]
        assert answer.entry == right.entry


def test_the_anonymised_form_without_the_right_or_of_a_dashboard_that_has_none(reader: Reader) -> None:
    for roles in (["teacher"], ["auditor"], ["Analyst"]):
        with pytest.raises(AccessRefusedError):
            reader.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True), roles)
    for request in (
        Asked("overview", HOSPITAL, is_anonymised=True),
        Asked("open_patterns", HOSPITAL, ["PUBLIC"], is_anonymised=True),
    ):
        with pytest.raises(InsightsError, match=r"has no anonymised form|counts every visibility"):
            reader.ask(request, ["analyst"])


def test_the_right_to_anonymised_forms_is_no_right_to_strict_rows(reader: Reader) -> None:
    with pytest.raises(AccessRefusedError):
        reader.ask(Asked("open_patterns", HOSPITAL), ["analyst"])
