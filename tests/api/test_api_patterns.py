"""Patterns over HTTP: pages by cursor, filters, explanations with their cases, and what strangers do not learn."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from support.api.contract import check
from support.api.server import Api, Got
from support.api.tokens import token
from support.dashboards.dashboard_scenario import HOSPITAL, STORES

from orchestration.reviews.patterns import explanation, find_pattern
from orchestration.warehouse.database import Database

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

LIST = "/v1/organizations/{organization_id}/patterns"
ONE = "/v1/organizations/{organization_id}/patterns/{pattern_id}"
STRANGER = "00000000-0000-4000-8000-000000000000"
NEWEST = {"weekly": "2025-12-29", "monthly": "2026-01-01", "yearly": "2026-01-01"}


def stored(api: Api, slug: str, visibilities: tuple[str, ...] = ("PUBLIC", "INTERNAL")) -> list[dict[str, Any]]:
    """Return the patterns of the newest reviews in the order of the list, sorted in Python."""
    id_, found = api.organization(slug), []
    for cadence in ("monthly", "yearly", "weekly"):  # the newest review first, then by name
        rows = api.warehouse.rows(f"select to_jsonb(p) from insights.pattern_{cadence} as p")  # noqa: S608
        mine = [row for (row,) in rows if row["organization_id"] == id_ and row["review_date"] == NEWEST[cadence]]
        mine = [row | {"cadence": cadence} for row in mine if row["visibility"] in visibilities]
        found += sorted(mine, key=lambda row: (-row["event_count"], row["pattern_id"]))
    return found


def ask(api: Api, query: str = "", slug: str = HOSPITAL, roles: tuple[str, ...] = ("teacher",)) -> Got:
    """Ask for the list, or with a query that begins with / for one pattern."""
    id_ = api.organization(slug)
    return api.get(f"/v1/organizations/{id_}/patterns{query}", token(id_, roles=list(roles)))


def keys(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["cadence"], row["pattern_id"]) for row in rows]


def pages(api: Api, query: str, **who: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], ""
    while True:
        got = ask(api, f"?{query}{cursor}", **who)
        assert got.status == 200, got.body
        found.append(got.json["data"]["patterns"])
        following = got.json["data"]["next_cursor"]
        assert (following is None) == (got.json["left_out"] == 0)
        if following is None:
            return found
        cursor = f"&cursor={following}"


def test_the_list_is_that_of_the_newest_reviews(api: Api, document: dict[str, Any]) -> None:
    got = ask(api)
    check(document, LIST, got)
    expected = stored(api, HOSPITAL)
    assert len(expected) > 3
    shown = got.json["data"]["patterns"]
    assert keys(shown) == keys(expected)
    for row, pattern in zip(expected, shown, strict=True):
        same = ("kind", "severity", "domain", "label", "location", "episode_start", "is_new", "visibility")
        assert [row[name] for name in same] == [pattern[name] for name in same]
        assert (row["event_count"], row["distinct_sources"]) == (pattern["cases"], pattern["sources"])
    reviews = {r["cadence"]: r["review_date"] for r in got.json["data"]["reviews"]}
    assert reviews == NEWEST
    assert (got.json["data_up_to"], got.json["visibilities"]) == ("2026-01-01", ["PUBLIC", "INTERNAL"])


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_make_the_whole_list(api: Api, limit: int) -> None:
    found = pages(api, f"limit={limit}")
    expected = stored(api, HOSPITAL)
    assert keys([row for page in found for row in page]) == keys(expected)
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    left = [ask(api, f"?limit={limit}").json["left_out"]]
    assert left == [len(expected) - limit]


def test_filters(api: Api) -> None:
    every = stored(api, HOSPITAL)
    assert keys(pages(api, "cadence=weekly")[0]) == [k for k in keys(every) if k[0] == "weekly"]
    for name, column in (("kind", "kind"), ("severity", "severity"), ("domain", "domain")):
        for value in {row[column] for row in every if row[column]}:
            chosen = [row for row in every if row[column] == value]
            found = pages(api, f"{name}={quote(value)}&limit=2")
            assert keys([row for page in found for row in page]) == keys(chosen)
    assert ask(api, "?domain=no-such-domain").json["data"]["patterns"] == []


def test_visibilities(api: Api, document: dict[str, Any]) -> None:
    wide = stored(api, HOSPITAL, ("PUBLIC", "INTERNAL", "RESTRICTED"))
    assert len(wide) > len(stored(api, HOSPITAL))
    found = pages(api, "limit=60", roles=("auditor",))
    assert keys([row for page in found for row in page]) == keys(wide)
    only = pages(api, "visibility=RESTRICTED&limit=200", roles=("auditor",))
    assert keys(only[0]) == keys(stored(api, HOSPITAL, ("RESTRICTED",)))
    refused = ask(api, "?visibility=RESTRICTED")
    check(document, LIST, refused)
    assert (refused.status, refused.json["detail"]) == (403, "The roles may see PUBLIC, INTERNAL only.")
    assert ask(api, "?visibility=ANONYMISED", roles=("auditor", "analyst")).status == 422


def test_a_review_that_is_made_between_two_pages_moves_nothing(api: Api) -> None:
    first = ask(api, "?limit=2")
    api.warehouse.execute(
        """
        insert into insights_ops.load_log (
            relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
        )
        select
            'pattern_monthly', '2027-03-15', '2027-03-15', '-infinity', '2027-03-15', '2025-03-15', 'by hand', 'dev'
        """
    )
    try:
        assert ask(api).json["data"]["reviews"][0] == {"cadence": "monthly", "review_date": "2027-03-01"}
        second = ask(api, f"?limit=200&cursor={first.json['data']['next_cursor']}")
    finally:
        api.warehouse.execute("delete from insights_ops.load_log where invocation_id = 'by hand'")
    rows = first.json["data"]["patterns"] + second.json["data"]["patterns"]
    assert keys(rows) == keys(stored(api, HOSPITAL))


def forged(cursor: str, place: int, value: Any) -> str:
    """Return a cursor with one of its parts replaced."""
    whole = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    whole[place] = value
    return base64.urlsafe_b64encode(json.dumps(whole, separators=(",", ":")).encode()).rstrip(b"=").decode()


def test_cursors_that_this_question_has_not_returned(api: Api, document: dict[str, Any]) -> None:
    cursor = ask(api, "?limit=1").json["data"]["next_cursor"]
    others = ask(api, "?limit=1", slug=STORES, roles=("auditor",)).json["data"]["next_cursor"]
    wrong = [
        others,  # of another organization
        ask(api, "?limit=1", roles=("auditor",)).json["data"]["next_cursor"],  # of other visibilities
        ask(api, "?limit=1&cadence=weekly").json["data"]["next_cursor"],  # of other filters
        *(cursor[:-1], cursor + "A", cursor + "=", "x", "A" * 1000, "bnVsbA", "W10", "W1tbW1tb"),
        *(forged(cursor, 1, made) for made in (None, [], [["daily", "2026-01-01"]], [["weekly", "x"]], [["weekly"]])),
        forged(cursor, 1, [["weekly", "2025-12-29"], ["weekly", "2025-12-29"]]),
        *(forged(cursor, 2, place) for place in (0, 4, "1", True, None, 10**30)),
        *(forged(cursor, 3, cases) for cases in (-1, 2**31, "1", 1.5, False)),
        *(forged(cursor, 4, text) for text in (None, 1, "x", "' or true --", STRANGER.replace("-", ""))),
        forged(cursor, 0, "0" * 16),
    ]
    assert others and len(wrong) == len(set(wrong))
    for text in wrong:
        got = ask(api, f"?limit=1&cursor={quote(text)}")
        check(document, LIST, got)
        assert got.status == 422, text
        assert [error["parameter"] for error in got.json["errors"]] == ["cursor"]


def test_a_forged_position_shows_nothing_that_the_list_does_not(api: Api) -> None:
    cursor = ask(api, "?limit=1").json["data"]["next_cursor"]
    older = forged(cursor, 1, [["weekly", "2025-12-22"], ["monthly", "2025-12-01"], ["yearly", "2025-01-01"]])
    rows = ask(api, f"?limit=200&cursor={older}").json["data"]["patterns"]
    id_ = api.organization(HOSPITAL)
    assert all(id_ in row["path"] and row["visibility"] in ("PUBLIC", "INTERNAL") for row in rows)


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=201", "?cadence=daily", "?kind=", "?severity=TINY", "?domain=%00", "?organization=x"]
)
def test_wrong_parameters(api: Api, document: dict[str, Any], query: str) -> None:
    got = ask(api, query)
    check(document, LIST, got)
    assert got.status == 422


def test_a_pattern_is_explained_with_its_cases(api: Api, document: dict[str, Any]) -> None:
    for row in stored(api, HOSPITAL):
        got = ask(api, f"/{row['pattern_id']}?review_date={row['review_date']}&limit=1000")
        check(document, ONE, got)
        assert got.status == 200, got.body
        found = got.json["data"]
        counted = api.warehouse.rows(
            "select case_id::text from insights.dim_cases where case_id = any(%s::uuid[])"
            " and visibility in ('PUBLIC', 'INTERNAL')",
            row["case_ids"],
        )
        assert {case["case_id"] for case in found["cases"]} == {case_id for (case_id,) in counted}
        assert len(found["cases"]) + found["cases_withheld"] == row["event_count"]
        headings = [part["heading"] for part in found["explanation"]]
        assert {"Pattern", "Rule", "Threshold", "Set by", "Found", "Severity"} <= set(headings)
        assert "Case" not in headings


def test_the_command_explains_in_the_same_sentences(api: Api) -> None:
    row = stored(api, HOSPITAL)[0]
    with Database.open(api.warehouse.settings, api.warehouse.reader_url) as db:
        said = list(explanation(find_pattern(db, row["pattern_id"], None)))
    found = ask(api, f"/{row['pattern_id']}").json["data"]["explanation"]
    assert [(part["heading"], part["text"]) for part in found] == [pair for pair in said if pair[0] != "Case"]


def test_cases_that_became_stricter_are_withheld(api: Api) -> None:
    row = max(stored(api, HOSPITAL), key=lambda found: found["event_count"])
    before = ask(api, f"/{row['pattern_id']}?review_date={row['review_date']}").json["data"]
    hidden = before["cases"][0]["case_id"]
    change = "update insights.dim_cases set visibility = '{}' where case_id = '{}'"
    api.warehouse.execute(change.format("RESTRICTED", hidden))
    try:
        after = ask(api, f"/{row['pattern_id']}?review_date={row['review_date']}").json["data"]
        seen = ask(api, f"/{row['pattern_id']}?review_date={row['review_date']}", roles=("auditor",)).json["data"]
    finally:
        api.warehouse.execute(change.format(before["cases"][0]["visibility"], hidden))
    assert hidden not in {case["case_id"] for case in after["cases"]}
    assert after["cases_withheld"] == before["cases_withheld"] + 1
    assert hidden in {case["case_id"] for case in seen["cases"]}


def test_the_number_of_cases_is_limited(api: Api) -> None:
    row = max(stored(api, HOSPITAL), key=lambda found: found["event_count"])
    got = ask(api, f"/{row['pattern_id']}?review_date={row['review_date']}&limit=1")
    assert len(got.json["data"]["cases"]) == 1
    assert got.json["left_out"] == row["event_count"] - got.json["data"]["cases_withheld"] - 1 > 0


def test_a_pattern_that_the_viewer_may_not_see_is_as_if_it_were_not_there(api: Api, document: dict[str, Any]) -> None:
    restricted = stored(api, HOSPITAL, ("RESTRICTED",))[0]["pattern_id"]
    foreign = stored(api, STORES, ("PUBLIC", "INTERNAL", "RESTRICTED"))[0]["pattern_id"]
    bodies = set()
    for given in (restricted, foreign, STRANGER, "x", "%27", "1%20or%201=1", "..", "*"):
        got = ask(api, f"/{given}")
        assert got.status == 404, given
        bodies.add(got.body)
        check(document, ONE, got)
    assert len(bodies) == 1
    assert ask(api, f"/{restricted}", roles=("auditor",)).status == 200
    assert ask(api, f"/{foreign}", slug=STORES, roles=("auditor",)).status == 200
    own = stored(api, HOSPITAL)[0]
    assert ask(api, f"/{own['pattern_id']}?review_date=2020-01-01").status == 404
    assert ask(api, f"/{own['pattern_id'].upper()}").status == 200


def test_an_answer_that_the_client_has_is_not_sent_again(api: Api) -> None:
    id_, row = api.organization(HOSPITAL), stored(api, HOSPITAL)[0]
    for path in (f"/v1/organizations/{id_}/patterns", f"/v1/organizations/{id_}/patterns/{row['pattern_id']}"):
        first = api.get(path, token(id_))
        again = api.get(path, token(id_), If_None_Match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")
        assert first.headers["cache-control"] == "private, max-age=300"
        other = api.get(path, token(id_, roles=["auditor"]), If_None_Match=first.headers["etag"])
        assert other.status == 200


def test_a_cadence_that_was_never_built_is_left_out(api: Api) -> None:
    api.warehouse.execute("alter table insights.pattern_yearly rename to away")
    try:
        got = ask(api)
    finally:
        api.warehouse.execute("alter table insights.away rename to pattern_yearly")
    assert got.status == 200, got.body
    assert keys(got.json["data"]["patterns"]) == [key for key in keys(stored(api, HOSPITAL)) if key[0] != "yearly"]
