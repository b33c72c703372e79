"""Sending review cases to a real HTTP server that fails: no case is lost, and none is made twice."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from support.reviews.core_services import (
    Behavior,
    CoreServices,
    accept,
    answer,
    cut,
    hang,
    later,
    pour,
)
from support.reviews.review_outbox import Outbox, configured, payload

from orchestration.config.files import Settings
from orchestration.reviews import send as send_module
from orchestration.reviews.send import SendReport

pytest_plugins = ["support.reviews.review_sessions"]
pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("failures", "status_of_known"),
    [
        pytest.param([answer(500), answer(503, "busy")], 409, id="500, 503"),
        pytest.param([answer(408), answer(425)], 409, id="408, 425"),
        pytest.param([cut(accepting=False), cut(accepting=False)], 409, id="cut before accepting"),
        pytest.param([cut(accepting=True), cut(accepting=True)], 409, id="cut after accepting, then 409"),
        pytest.param([cut(accepting=True)], 200, id="cut after accepting, then 200"),
        pytest.param([pour("no HTTP at all\r\n", "\r\n", 0)], 409, id="no HTTP"),
        pytest.param([pour("HTTP/1.1 201 ", "x" * 1000, 0, accepting=True)], 409, id="an endless status line"),
        pytest.param([pour("HTTP/1.1 201 Created\r\n", "X: y\r\n", 0, accepting=True)], 409, id="endless headers"),
    ],
)
def test_a_case_with_transient_failures_is_sent_once(
    outbox: Outbox, core: CoreServices, settings: Settings, failures: list[Behavior], status_of_known: int
) -> None:
    case_ids = outbox.request(2)
    core.status_of_known = status_of_known
    core.next(*failures)
    assert outbox.send(configured(settings), core.url) == SendReport(sent=2)
    assert core.cases == [payload(case_id) for case_id in case_ids]
    assert core.tries(case_ids[0]) == len(failures) + 1
    assert [outbox.deliveries()[case_id][:2] for case_id in case_ids] == [("sent", len(failures) + 1), ("sent", 1)]
    assert core.bytes_written < 64_000_000  # then the sender hung up


@pytest.mark.parametrize(
    ("failure", "status_of_known"),
    [
        pytest.param(hang(accepting=False), 409, id="no answer, not accepted"),
        pytest.param(hang(accepting=True), 409, id="no answer, accepted, then 409"),
        pytest.param(hang(accepting=True), 200, id="no answer, accepted, then 200"),
        pytest.param(pour("HTTP/1.1 2", "0", 0.1, accepting=True), 409, id="a status line byte by byte"),
        pytest.param(pour("", "HTTP/1.1 100 Continue\r\n\r\n", 0.05), 409, id="always to be continued"),
    ],
)
def test_a_case_with_a_late_answer_is_sent_once(
    outbox: Outbox, core: CoreServices, settings: Settings, failure: Behavior, status_of_known: int
) -> None:
    case_ids = outbox.request(2)
    core.status_of_known = status_of_known
    core.next(failure)
    assert outbox.send(configured(settings), core.url, seconds=1) == SendReport(sent=2)
    assert core.cases == [payload(case_id) for case_id in case_ids]
    (status, tries, _), (other, _, _) = (outbox.deliveries()[case_id] for case_id in case_ids)
    # On a busy machine a good answer may be late, too, and ours is tried once more.
    assert (status, other) == ("sent", "sent") and tries >= 2


def test_a_case_that_always_fails_is_given_up_after_all_its_attempts(
    outbox: Outbox, core: CoreServices, settings: Settings
) -> None:
    bad, *others = outbox.request(3)
    core.always(answer(500, "cannot store this"), bad)
    patient = configured(settings, attempts_per_run=2, max_attempts=5)
    assert outbox.send(patient, core.url) == SendReport(sent=2, pending=1)
    assert outbox.deliveries()[bad] == ("pending", 2, "500 cannot store this")
    assert outbox.send(patient, core.url) == SendReport(pending=1)
    assert outbox.send(patient, core.url) == SendReport(failed=1)
    assert outbox.deliveries()[bad] == ("failed", 5, "500 cannot store this")
    assert outbox.send(patient, core.url) == SendReport()
    assert core.tries(bad) == 5
    assert core.cases == [payload(case_id) for case_id in others]


@pytest.mark.parametrize(
    ("wait", "retry_after"),
    [
        pytest.param(1.0, lambda _: "1", id="seconds"),
        pytest.param(
            1.0, lambda free_at: format_datetime(datetime.fromtimestamp(free_at + 1, UTC), usegmt=True), id="date"
        ),
    ],
)
def test_retry_after_is_honored(
    outbox: Outbox, core: CoreServices, settings: Settings, wait: float, retry_after: Callable[[float], str]
) -> None:
    (case_id,) = outbox.request(1)
    core.always(later(wait, retry_after))
    assert outbox.send(configured(settings, attempts_per_run=2), core.url) == SendReport(sent=1)
    assert outbox.deliveries()[case_id] == ("sent", 2, "201 made")


@pytest.mark.parametrize(
    "wait", ["86400", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 2001 00:00:00 -0000", "soon", "-1", "²"]
)
@pytest.mark.parametrize("status", [429, 503])
def test_no_retry_after_keeps_the_sender_for_long(
    outbox: Outbox, core: CoreServices, settings: Settings, wait: str, status: int
) -> None:
    outbox.request(1)
    core.next(answer(status, Retry_After=wait))
    assert outbox.send(configured(settings, max_pause_seconds=0.01), core.url) == SendReport(sent=1)


def test_pauses_double_with_jitter_up_to_the_longest(
    outbox: Outbox, core: CoreServices, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(send_module, "time", SimpleNamespace(sleep=pauses.append))
    outbox.request(8)
    core.always(answer(500))
    slow = configured(
        settings, attempts_per_run=5, backoff_seconds=100, max_pause_seconds=700, stop_after_undelivered=8
    )
    assert outbox.send(slow, core.url).pending == 8
    # Four pauses between the five tries of a case: 100, 200, 400 and 800 s, each times 0.5 to 1.5, at most 700 s.
    cases = list(zip(*[iter(pauses)] * 4, strict=True))
    assert len(cases) == 8
    for first, second, third, fourth in cases:
        assert 50 <= first <= 150 and 100 <= second <= 300 and 200 <= third <= 600 and 400 <= fourth <= 700
    assert len({first for first, *_ in cases}) > 1, "no jitter"


def test_core_services_that_do_not_listen(outbox: Outbox, core: CoreServices, settings: Settings) -> None:
    case_ids = outbox.request(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert outbox.send(configured(settings, attempts_per_run=2), url) == SendReport(pending=2)
    assert {(status, tries) for status, tries, _ in outbox.deliveries().values()} == {("pending", 2)}
    assert "Connection refused" in outbox.deliveries()[case_ids[0]][2]
    assert outbox.send(settings, core.url) == SendReport(sent=2)
    assert core.cases == [payload(case_id) for case_id in case_ids]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(answer(500), id="500"),
        pytest.param(answer(429), id="429"),
        pytest.param(cut(accepting=True), id="cut after accepting"),
        pytest.param(cut(accepting=False), id="cut before accepting"),
    ],
)
def test_a_dead_server_is_left_alone_after_a_few_cases(
    outbox: Outbox, core: CoreServices, settings: Settings, failure: Behavior
) -> None:
    case_ids = outbox.request(8)
    core.always(failure)
    impatient = configured(settings, attempts_per_run=2, stop_after_undelivered=3)
    report = outbox.send(impatient, core.url)
    assert (report.sent, report.pending, report.failed) == (0, 8, 0)
    assert report.stopped is not None
    assert report.stopped.startswith("Core Services did not accept 3 cases in a row. Last answer: ")
    assert [request.key for request in core.requests] == [c for c in case_ids[:3] for _ in range(2)]

    # Cases that were not tried yet come first: three bad ones do not hold up the others forever.
    for case_id in case_ids[:3]:
        core.always(failure, case_id)
    core.always(accept())
    report = outbox.send(impatient, core.url)
    assert (report.sent, report.pending, report.failed) == (5, 3, 0)
    assert [case for case in core.cases if case["case_id"] in case_ids[3:]] == [payload(c) for c in case_ids[3:]]
    assert len(core.cases) == len({case["case_id"] for case in core.cases})


def test_failures_that_are_not_in_a_row_do_not_stop_the_run(
    outbox: Outbox, core: CoreServices, settings: Settings
) -> None:
    case_ids = outbox.request(7)
    for case_id in case_ids[::2]:
        core.always(answer(500), case_id)
    report = outbox.send(configured(settings, attempts_per_run=1, stop_after_undelivered=2), core.url)
    assert report == SendReport(sent=3, pending=4)
