"""Tries to see through a dashboard what one may not see; none succeeds. Each test is one try, named for it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from support.dashboards.dashboard_scenario import ALL, HOSPITAL, OPEN, STORES, reader, rows
from support.warehouse import Warehouse

from orchestration.dashboards.access import AccessRefusedError
from orchestration.dashboards.question import Asked, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.errors import InsightsError
from workshop.services import LocalPostgres, LocalRedis

pytestmark = pytest.mark.services

SQL = ["' or '1'='1", "'; drop table insights.fact_tasks; --", "%(visibilities)s", "{horizon}", "$1", "1) or (true"]


@pytest.fixture(scope="module")
def warehouse(postgres: LocalPostgres, settings: Any, built_sample: str) -> Warehouse:
    return Warehouse.copy_of(built_sample, "attacked_dashboards", postgres, settings)


@pytest.fixture
def asking(warehouse: Warehouse, redis_server: LocalRedis) -> Iterator[Reader]:
    """Of the roles, auditor may see RESTRICTED, analyst anonymised forms, everybody PUBLIC and INTERNAL."""
    made = reader(warehouse, redis_server)
    yield made
    made.close()


@pytest.fixture
def admin(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    with redis.from_url(redis_server.url()) as client:
        yield client


def entry_of(reader: Reader, asked: Asked) -> str:
    return cache_key(reader.question(asked)).entry


@pytest.mark.parametrize("role", ["*", "**", "%", "", " ", "auditor*", ".*"])
def test_a_wildcard_as_a_role(asking: Reader, role: str) -> None:
    with pytest.raises(AccessRefusedError):
        asking.ask(Asked("overview", HOSPITAL), [role])


@pytest.mark.parametrize(
    "role", ["Auditor", "AUDITOR", " auditor", "auditor ", "auditor\n", "auditor\0", "\u0430uditor"]
)
def test_a_role_in_another_case_with_whitespace_or_letters_that_look_alike(asking: Reader, role: str) -> None:
    with pytest.raises(AccessRefusedError):
        asking.ask(Asked("overview", HOSPITAL), [role])
    assert asking.ask(Asked("overview", HOSPITAL), ["auditor"])


def test_roles_that_are_a_part_of_one_that_may(asking: Reader) -> None:
    for roles in (["audit"], ["a", "u", "d"], ["auditor,teacher"], ["auditors"], "auditor,teacher"):
        with pytest.raises(AccessRefusedError):
            asking.ask(Asked("overview", HOSPITAL), roles)


def test_the_answer_to_a_wider_role_is_in_the_cache(asking: Reader) -> None:
    wide = Asked("overview", HOSPITAL)
    seen = asking.ask(wide, ["auditor"])
    assert asking.ask(wide, ["auditor"]).outcome == "hits"
    with pytest.raises(AccessRefusedError):
        asking.ask(wide, ["teacher"])
    narrow = asking.ask(dataclasses.replace(wide, visibilities=OPEN), ["teacher"])
    assert narrow.outcome == "misses"
    assert sum(r["tasks"] for r in rows(narrow, "tasks")) < sum(r["tasks"] for r in rows(seen, "tasks"))


@pytest.mark.parametrize("other", [Asked("overview", HOSPITAL), Asked("overview", STORES, OPEN)])
def test_an_answer_of_a_wider_role_or_another_organization_planted_under_ones_key(
    admin: redis.Redis, asking: Reader, other: Asked
) -> None:
    mine = Asked("overview", HOSPITAL, OPEN)
    right = asking.ask(mine, ["teacher"])
    foreign = asking.ask(other, ["auditor"])
    admin.copy(entry_of(asking, other), entry_of(asking, mine), replace=True)
    answer = asking.ask(mine, ["teacher"])
    assert (answer.outcome, answer.entry.body) == ("misses", right.entry.body)
    assert answer.entry.body != foreign.entry.body


def test_the_anonymised_answer_planted_under_the_plain_key(admin: redis.Redis, asking: Reader) -> None:
    plain, anonymised = Asked("open_patterns", HOSPITAL, OPEN), Asked("open_patterns", HOSPITAL, is_anonymised=True)
    right = asking.ask(plain, ["teacher"])
    asking.ask(anonymised, ["analyst"])
    admin.copy(entry_of(asking, anonymised), entry_of(asking, plain), replace=True)
    assert asking.ask(plain, ["teacher"]).entry.body == right.entry.body


def test_a_refusal_for_an_organization_that_is_not_there_is_the_same(asking: Reader) -> None:
    messages = set()
    for organization in (HOSPITAL, "no-such-one", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises(AccessRefusedError) as caught:
            asking.ask(Asked("overview", organization), ["teacher"])
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_a_refusal_is_the_same_with_and_without_strict_rows(built: Warehouse) -> None:
    messages = set()
    for empty in (False, True):
        if empty:
            built.execute("truncate insights.report_sla_breaches")
        with pytest.raises(AccessRefusedError) as caught:
            reader(built).ask(Asked("sla_breaches", HOSPITAL), ["teacher"])
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize(
    "organization",
    [*SQL, "", "%", "*", "sample-", "sample-hospital\0", "\ud800", "Sample-Hospital", "sample-hospital "],
)
def test_sql_wildcards_or_nothing_as_the_organization(asking: Reader, admin: redis.Redis, organization: str) -> None:
    with pytest.raises(InsightsError, match="There is no organization"):
        asking.ask(Asked("overview", organization, OPEN), ["teacher"])
    assert admin.keys("*:entry:*") == []


def test_two_organizations_at_once(warehouse: Warehouse, asking: Reader) -> None:
    ids = [str(warehouse.value("select id from organizations where slug = %s", slug)) for slug in (HOSPITAL, STORES)]
    for text in (",".join(ids), f"{ids[0]}' or '{ids[1]}", f"{{{ids[0]},{ids[1]}}}", f"{HOSPITAL},{STORES}"):
        with pytest.raises(InsightsError, match="There is no organization"):
            asking.ask(Asked("overview", text, OPEN), ["teacher"])


def test_ids_of_organizations_that_are_not_there_fill_no_cache(admin: redis.Redis, asking: Reader) -> None:
    for number in range(5):
        with pytest.raises(InsightsError, match="There is no organization"):
            asking.ask(Asked("overview", f"00000000-0000-4000-8000-00000000000{number}", OPEN), ["teacher"])
    asking.close()
    assert admin.keys("*") == [b"insights:dev:counters"]


@pytest.mark.parametrize("text", SQL)
def test_sql_in_parameters_visibilities_and_names(warehouse: Warehouse, asking: Reader, text: str) -> None:
    before = warehouse.value("select count(*) from insights.fact_tasks")
    tries = [
        Asked("task_volume", HOSPITAL, OPEN, parameters={"days": text}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"days": f"7 {text}"}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"severities": [text]}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={"severities": f"MAJOR{text}"}),
        Asked("task_volume", HOSPITAL, OPEN, parameters={text: 7}),
        Asked("monthly_trends", HOSPITAL, OPEN, parameters={"until": f"2025-11{text}"}),
        Asked("task_volume", HOSPITAL, [text]),
        Asked("task_volume", HOSPITAL, [f"PUBLIC{text}"]),
        Asked(text, HOSPITAL, OPEN),
        Asked(f"task_volume{text}", HOSPITAL, OPEN),
    ]
    for asked in tries:
        with pytest.raises(InsightsError):
            asking.ask(asked, ["teacher"])
    assert warehouse.value("select count(*) from insights.fact_tasks") == before


@pytest.mark.parametrize(
    "name", ["insights.fact_tasks", "fact_tasks", "open_patterns:entry", "Task_Volume", "task_volume\n", "", "*"]
)
def test_a_name_that_is_no_dashboard(asking: Reader, name: str) -> None:
    with pytest.raises(InsightsError, match="There is no dashboard"):
        asking.ask(Asked(name, HOSPITAL, OPEN), ["teacher"])


@pytest.mark.parametrize(
    "parameters", [{"organization": STORES}, {"visibilities": "RESTRICTED"}, {"min_group_size": 1}]
)
def test_a_parameter_that_would_take_the_place_of_a_bound(asking: Reader, parameters: dict[str, object]) -> None:
    with pytest.raises(InsightsError, match="has no parameter"):
        asking.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True, parameters=parameters), ["analyst"])


@pytest.mark.parametrize("days", [0, -1, 367, 10**9, "9" * 400, float("inf"), [28]])
def test_a_parameter_outside_its_bounds(asking: Reader, days: object) -> None:
    with pytest.raises(InsightsError, match="a whole number from 1 to 366"):
        asking.ask(Asked("task_volume", HOSPITAL, OPEN, parameters={"days": days}), ["teacher"])


@pytest.mark.parametrize(
    "visibilities", [["ANONYMISED"], [*ALL, "ANONYMISED"], ["anonymised"], ["public"], [], "PUBLIC"]
)
def test_anonymised_rows_asked_for_plainly_or_a_set_that_is_none(asking: Reader, visibilities: Any) -> None:
    for roles in (["auditor", "analyst"], ["teacher"]):
        with pytest.raises(InsightsError, match=r"visibility|anonymised form only"):
            asking.ask(Asked("open_patterns", HOSPITAL, visibilities), roles)


class Changing(list[str]):
    """A set of visibilities that is another one each time it is looked at."""

    def __iter__(self) -> Iterator[str]:
        seen, self[:] = self.copy(), ["RESTRICTED"]
        return iter(seen)


def test_visibilities_that_change_after_they_were_checked(asking: Reader) -> None:
    right = asking.ask(Asked("overview", HOSPITAL, OPEN), ["teacher"])
    for sets in (Changing(OPEN), iter(OPEN)):
        answer = asking.ask(Asked("overview", HOSPITAL, sets), ["teacher"])  # type: ignore[arg-type]
        assert answer.entry == right.entry


def test_the_anonymised_form_without_the_right_or_of_a_dashboard_that_has_none(asking: Reader) -> None:
    for roles in (["teacher"], ["auditor"], ["Analyst"]):
        with pytest.raises(AccessRefusedError):
            asking.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True), roles)
    for asked in (
        Asked("overview", HOSPITAL, is_anonymised=True),
        Asked("open_patterns", HOSPITAL, ["PUBLIC"], is_anonymised=True),
    ):
        with pytest.raises(InsightsError, match=r"has no anonymised form|counts every visibility"):
            asking.ask(asked, ["analyst"])


def test_the_right_to_anonymised_forms_is_no_right_to_strict_rows(asking: Reader) -> None:
    with pytest.raises(AccessRefusedError):
        asking.ask(Asked("open_patterns", HOSPITAL), ["analyst"])


def strict_scenario(built: Warehouse) -> None:
    """Of the hospital's weekly review: groups of 4, 5, 9 and 10 cases, ANONYMISED, of one domain, kind and severity."""
    built.execute("""
        create temp table model as
        select * from insights.pattern_weekly as p
        where review_date = '2025-12-29' and kind = 'incident_frequency'
            and organization_id = (select id from organizations where slug = 'sample-hospital')
        limit 1;
        delete from insights.pattern_weekly where review_date = '2025-12-29';
        insert into insights.pattern_weekly
        select (jsonb_populate_record(model, jsonb_build_object(
            'pattern_id', gen_random_uuid(), 'visibility', 'ANONYMISED',
            'event_count', size, 'distinct_sources', sources, 'label', 'Secret-Label', 'location', 'Secret-Place'
        ))).*
        from model, (values (4, 4), (5, 5), (9, 9), (10, 3), (10, 10)) as groups (size, sources);
    """)


def weekly(reader: Reader, **given: Any) -> list[dict[str, Any]]:
    return rows(reader.ask(Asked("open_patterns", HOSPITAL, is_anonymised=True, **given), ["analyst"]), "weekly")


def test_small_groups_are_neither_shown_nor_counted(built: Warehouse) -> None:
    strict_scenario(built)
    (row,) = weekly(reader(built))
    # 5, 9 and 10 cases of as many sources; 4 are too few, and so are 3 sources. In steps of 5: 5 + 5 + 10.
    assert (row["patterns"], row["cases_at_least"]) == (3, 20)
    assert weekly(reader(built, exports__min_group_size=11)) == []


def test_the_plain_form_shows_nothing_of_anonymised_groups(built: Warehouse) -> None:
    strict_scenario(built)
    plain = reader(built).ask(Asked("open_patterns", HOSPITAL), ["auditor", "analyst"])
    assert rows(plain, "weekly") == []
    overview = reader(built).ask(Asked("overview", HOSPITAL), ["auditor", "analyst"])
    assert rows(overview, "patterns") == []
    anonymised = reader(built).ask(Asked("open_patterns", HOSPITAL, is_anonymised=True), ["analyst"])
    assert b"Secret" not in anonymised.entry.body


def test_two_small_groups_by_the_difference_of_two_questions(built: Warehouse) -> None:
    strict_scenario(built)
    asking = reader(built)
    everything = {(r["kind"], r["domain"], r["severity"]): r for r in weekly(asking)}
    kinds = ("incident_frequency", "high_risk_indicator", "cross_department_trend", "needs_attention")
    single: dict[Any, Any] = {}
    for kind in kinds:
        part = weekly(asking, parameters={"kinds": kind})
        single |= {(r["kind"], r["domain"], r["severity"]): r for r in part}
        without = weekly(asking, parameters={"kinds": ",".join(k for k in kinds if k != kind)})
        left = {(r["kind"], r["domain"], r["severity"]): r for r in without}
        assert left == {key: row for key, row in everything.items() if key[0] != kind}
    assert single == everything  # nothing appears in a part that is not in the whole


def test_one_case_more_or_less_between_two_reviews_does_not_show(built: Warehouse) -> None:
    strict_scenario(built)
    asking = reader(built)
    before = weekly(asking)
    built.execute("update insights.pattern_weekly set event_count = event_count - 1 where event_count = 9")
    built.execute("update insights.pattern_weekly set event_count = event_count + 3 where event_count = 10")
    built.execute("update insights.pattern_weekly set event_count = event_count + 1 where event_count = 5")
    assert weekly(asking) == before


def test_a_lease_that_somebody_planted_for_ever(
    warehouse: Warehouse, redis_server: LocalRedis, admin: redis.Redis
) -> None:
    asking = reader(warehouse, redis_server, cache__compute_seconds=1)
    asked = Asked("overview", HOSPITAL, OPEN)
    admin.set(cache_key(asking.question(asked)).lease, "mine for ever")
    assert asking.ask(asked, ["teacher"]).outcome == "misses"
    assert asking.ask(asked, ["teacher"]).outcome == "hits"


@pytest.mark.parametrize("load", ["999999999", "99999999999999999999999", "x", "-1", ""])
def test_a_load_that_somebody_planted_for_ever(admin: redis.Redis, asking: Reader, load: str) -> None:
    asked = Asked("overview", HOSPITAL, OPEN)
    admin.set("insights:dev:{overview}:load", load)
    assert asking.ask(asked, ["teacher"]).outcome == "misses"
    assert asking.ask(asked, ["teacher"]).outcome == "hits"


def test_a_planted_count_does_not_make_the_warm_up_compute_an_invalid_question(
    admin: redis.Redis, asking: Reader
) -> None:
    asked = Asked("overview", HOSPITAL, OPEN)
    asking.ask(asked, ["teacher"])
    asking.answers.counters.send()
    (asks,) = admin.keys("*:asks:*")
    (oldest,) = admin.zrange(asks, 0, 0)
    assert isinstance(oldest, bytes | str)
    good = json.loads(oldest)
    for wrong in (
        {"parameters": {"days": SQL[1]}},
        {"parameters": {"days": 10**6}},
        {"dashboard": "open_patterns"},
        {"visibilities": ["ANONYMISED"]},
        {"form": "raw"},
        {"definition": "another"},
        {"min_group_size": 1},
        {"environment": "prod"},
        {"organization_id": SQL[0]},
        {"organization_id": 7},
    ):
        admin.zadd(asks, {json.dumps(good | wrong): 1000})
    assert asking.most_requested("overview", 50) == [(asking.question(asked), 1)]
