"""`insights reviews` as an operator uses it: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest
from support.reviews.core_services import CoreServices, accept, answer
from support.reviews.review_outbox import ORGANIZATION, PATTERN, TOKEN, Outbox, configured, payload
from support.reviews.review_sessions import Done, Insights

from orchestration.config.files import Settings

pytest_plugins = ["support.reviews.review_sessions"]
pytestmark = pytest.mark.services

UNKNOWN = "00000000-0000-4000-8000-0000000000ff"


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_it_prints_what_it_would_send(
    outbox: Outbox, core: CoreServices, insights: Insights, environment: pytest.MonkeyPatch, url: str | None
) -> None:
    case_ids = outbox.request(2)
    outbox.deliver(outbox.request(3)[2], "sent", 1, "201")
    if url is None:
        environment.delenv("INSIGHTS_CORE_API_URL")
    else:
        environment.setenv("INSIGHTS_CORE_API_URL", url)
    before = outbox.deliveries()
    done = insights("reviews", "send")
    assert [json.loads(line) for line in done.out.splitlines()] == [payload(case_id) for case_id in case_ids]
    assert done.err == "Dry run: INSIGHTS_CORE_API_URL is not set, nothing was sent.\n"
    assert done.exit_code == 0
    assert outbox.deliveries() == before
    assert core.requests == []


def test_send_ends_with_the_counts(outbox: Outbox, core: CoreServices, insights: Insights) -> None:
    outbox.request(2)
    assert insights("reviews", "send") == Done(0, "2 sent, 0 pending, 0 failed\n", "")
    assert insights("reviews", "send") == Done(0, "0 sent, 0 pending, 0 failed\n", "")
    outbox.request(2)
    core.next(answer(422))
    assert insights("reviews", "send") == Done(1, "1 sent, 0 pending, 1 failed\n", "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_one_sentence(outbox: Outbox, core: CoreServices, insights: Insights, status: int) -> None:
    outbox.request(3)
    core.next(accept())
    core.always(answer(status, f"Bearer {TOKEN} is unknown"))
    assert insights("reviews", "send") == Done(
        1,
        "1 sent, 2 pending, 0 failed\n",
        f"Error: Core Services answered: {status} Bearer *** is unknown. This is not about one case: check"
        " INSIGHTS_CORE_API_TOKEN and INSIGHTS_CORE_API_URL (a redirect is not followed), and the proxy of the"
        " environment, if any. 2 remain pending; none is lost.\n",
    )


def test_a_dead_server_is_one_sentence(
    outbox: Outbox, core: CoreServices, insights: Insights, environment: pytest.MonkeyPatch, settings: Settings
) -> None:
    outbox.request(5)
    core.always(answer(503, "down for maintenance"))
    environment.setattr("orchestration.config.files.load_settings", lambda: configured(settings))
    assert insights("reviews", "send") == Done(
        1,
        "0 sent, 5 pending, 0 failed\n",
        "Error: Core Services did not accept 3 cases in a row. Last answer: 503 down for maintenance. 5 remain pending;"
        " none is lost.\n",
    )
    assert len(core.requests) == 12  # the configuration's 3 cases, 4 tries each


def test_a_lost_database_is_one_sentence(outbox: Outbox, core: CoreServices, insights: Insights) -> None:
    outbox.request(1)
    core.next(accept(outbox.lose_senders))
    done = insights("reviews", "send")
    assert (done.exit_code, done.out) == (1, "")
    assert done.err.startswith("Error: The database failed (terminating connection due to administrator command")
    assert done.err.endswith("). No case is lost and none is sent twice: run the command again.\n")
    assert insights("reviews", "send") == Done(0, "1 sent, 0 pending, 0 failed\n", "")
    assert len(core.cases) == 1


@pytest.mark.parametrize("command", [["send"], ["list"], ["retry", "--all-failed"]])
def test_before_the_first_build(
    database: str, insights: Insights, environment: pytest.MonkeyPatch, command: list[str]
) -> None:
    environment.setenv("INSIGHTS_WAREHOUSE_URL", database)
    said = "Error: No review has been built here yet. Run: insights init, then insights build\n"
    assert insights("reviews", *command) == Done(1, "", said)


@pytest.mark.parametrize(
    "url",
    [
        "core.example.org/cases",
        "ftp://core.example.org/",
        "https://",
        "https://s3cret:s3cret@core.example.org/cases",
        "https://core.example.org:99999/",
        "https://core.example.org/s3cret\n",
        "https://[::1/",
        "https://köre.org/",
    ],
)
def test_a_url_of_no_use_is_refused_without_showing_it(
    insights: Insights, environment: pytest.MonkeyPatch, url: str
) -> None:
    environment.setenv("INSIGHTS_CORE_API_URL", url)
    done = insights("reviews", "send")
    assert (done.exit_code, done.out) == (1, "")
    assert "INSIGHTS_CORE_API_URL" in done.err
    assert "s3cret" not in done.err


@pytest.mark.parametrize("token", [TOKEN + "\n", f"Bearer {TOKEN}", TOKEN + "é"])
def test_a_token_of_no_use_is_refused_without_showing_it(
    core: CoreServices, insights: Insights, environment: pytest.MonkeyPatch, token: str
) -> None:
    environment.setenv("INSIGHTS_CORE_API_TOKEN", token)
    done = insights("reviews", "send")
    assert (done.exit_code, done.out) == (1, "")
    assert done.err.startswith("Error: INSIGHTS_CORE_API_TOKEN has characters that a bearer token must not have")
    assert core.requests == []


def test_list_counts_and_shows_the_newest(outbox: Outbox, insights: Insights) -> None:
    case_ids = outbox.request(4)
    outbox.deliver(case_ids[0], "sent", 1, "201 made")
    outbox.deliver(case_ids[1], "failed", 12, "500 cannot store this")
    outbox.deliver(case_ids[2], "pending", 4, "no answer within 10 s")
    of = f"    organization {ORGANIZATION}  pattern {PATTERN}\n"
    untried = f"{case_ids[3]}  pending, 0 attempts  weekly 2026-01-05  MAJOR\n{of}"
    pending = f"{case_ids[2]}  pending, 4 attempts  weekly 2026-01-05  MAJOR\n{of}    no answer within 10 s\n"
    failed = f"{case_ids[1]}  failed, 12 attempts  weekly 2026-01-05  MAJOR\n{of}    500 cannot store this\n"
    sent = f"{case_ids[0]}  sent, 1 attempt  weekly 2026-01-05  MAJOR\n{of}    201 made\n"
    counts = "2 pending, 1 failed, 1 sent\n"
    more = "  and 3 more; --limit 4 shows all\n"
    assert insights("reviews", "list") == Done(0, counts + untried + pending + failed + sent, "")
    assert insights("reviews", "list", "--limit", "1") == Done(0, counts + untried + more, "")
    assert insights("reviews", "list", "--status", "failed") == Done(0, counts + failed, "")
    assert insights("reviews", "list", "--status", "pending") == Done(0, counts + untried + pending, "")
    outbox.request(0)
    assert insights("reviews", "list") == Done(0, "0 pending, 0 failed, 0 sent\n", "")


def test_retry_makes_failed_cases_pending(outbox: Outbox, core: CoreServices, insights: Insights) -> None:
    case_ids = outbox.request(4)
    core.next(*[answer(422)] * 3)
    assert insights("reviews", "send").out == "1 sent, 0 pending, 3 failed\n"
    before = outbox.deliveries()

    # All or nothing, and only what failed.
    done = insights("reviews", "retry", case_ids[0], case_ids[3], UNKNOWN)
    assert done.err.startswith(f"Error: Not a failed review case: {UNKNOWN}, {case_ids[3]}. Nothing was changed.")
    assert done.exit_code == 1
    assert outbox.deliveries() == before
    for usage in ([], [case_ids[0], "--all-failed"], ["no uuid"]):
        assert insights("reviews", "retry", *usage).exit_code == 2
    assert outbox.deliveries() == before

    assert insights("reviews", "retry", case_ids[1].upper(), case_ids[1]) == Done(0, "1 pending again\n", "")
    assert outbox.deliveries() == before | {case_ids[1]: ("pending", 0, "422")}
    assert insights("reviews", "send").out == "1 sent, 0 pending, 0 failed\n"
    assert insights("reviews", "retry", "--all-failed") == Done(0, "2 pending again\n", "")
    assert insights("reviews", "send").out == "2 sent, 0 pending, 0 failed\n"
    assert sorted(case["case_id"] for case in core.cases) == sorted(case_ids)
    assert insights("reviews", "retry", "--all-failed") == Done(0, "0 pending again\n", "")


def test_a_stored_answer_is_short_printable_and_without_the_token(
    outbox: Outbox, core: CoreServices, settings: Settings
) -> None:
    (case_id,) = outbox.request(1)
    core.always(answer(422, f"\0 \x1b[31mBearer {TOKEN}\r\n\u2028é {TOKEN[:-1]}{TOKEN} " + "x" * 10_000))
    assert outbox.send(settings, core.url).failed == 1
    said = outbox.deliveries()[case_id][2]
    assert said.startswith("422 [31mBearer *** é ****** xxx")
    assert len(said) <= 500
