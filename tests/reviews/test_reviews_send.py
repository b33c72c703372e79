"""Sending review cases to a real HTTP server: each case is posted once, with its id as the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.reviews.core_services import (
    Behavior,
    CoreServices,
    accept,
    answer,
    hang,
    make_certificate,
    pour,
)
from support.reviews.review_outbox import TOKEN, Outbox, configured, payload

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.reviews.send import SendReport
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.writer_lock import writer_lock

pytest_plugins = ["support.reviews.review_sessions"]
pytestmark = pytest.mark.services


def test_a_case_is_posted_with_its_id_as_key(outbox: Outbox, core: CoreServices, settings: Settings) -> None:
    first, second = outbox.request(2)
    assert outbox.send(settings, core.url) == SendReport(sent=2)
    assert [request.key for request in core.requests] == [first, second]  # the oldest first
    assert core.cases == [payload(first), payload(second)]
    assert core.requests[0].path == "/api/cases?from=insights"
    headers = core.requests[0].headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/json"
    assert outbox.deliveries() == {first: ("sent", 1, "201 made"), second: ("sent", 1, "201 made")}

    assert outbox.send(settings, core.url) == SendReport()  # nothing is left to send
    assert len(core.requests) == 2


def test_without_a_token_none_is_sent(outbox: Outbox, core: CoreServices, settings: Settings) -> None:
    outbox.request(1)
    assert outbox.send(settings, core.url, token=None) == SendReport(sent=1)
    assert "Authorization" not in core.requests[0].headers


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            pour("HTTP/1.1 201 Created\r\nContent-Length: 9000\r\n\r\n", ".", 0.05, accepting=True), id="slow"
        ),
        pytest.param(pour("HTTP/1.1 201 Created\r\n\r\n", "." * 65536, 0, accepting=True), id="endless"),
        pytest.param(
            pour("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n.\r\n", 0.05, accepting=True),
            id="slow in chunks",
        ),
    ],
)
def test_the_status_is_the_answer_however_its_body_ends(
    outbox: Outbox, core: CoreServices, settings: Settings, body: Behavior
) -> None:
    (case_id,) = outbox.request(1)
    core.always(body)
    assert outbox.send(configured(settings), core.url, seconds=1) == SendReport(sent=1)
    status, _, said = outbox.deliveries()[case_id]
    assert status == "sent"
    assert set(said.removeprefix("201")) <= {" ", "."}
    assert len(said) <= 500
    assert core.bytes_written < 64_000_000


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_case_fails_at_once_with_the_answer(
    outbox: Outbox, core: CoreServices, settings: Settings, status: int
) -> None:
    refused, other = outbox.request(2)
    core.always(answer(status, '{"error": "label:\n unknown"}'), refused)
    assert outbox.send(settings, core.url) == SendReport(sent=1, failed=1)
    assert outbox.deliveries()[refused] == ("failed", 1, f'{status} {{"error": "label: unknown"}}')
    assert core.cases == [payload(other)]


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        pytest.param(answer(401, "who?"), "401 who?", id="401"),
        pytest.param(answer(403, "no"), "403 no", id="403"),
        pytest.param(answer(301, Location="/elsewhere"), "301 /elsewhere", id="301"),
        pytest.param(answer(303, Location="/elsewhere"), "303 /elsewhere", id="303"),
        pytest.param(answer(307, Location="/elsewhere"), "307 /elsewhere", id="307"),
    ],
)
def test_an_answer_that_does_not_concern_the_case_stops_the_run(
    outbox: Outbox, core: CoreServices, settings: Settings, refusal: Behavior, said: str
) -> None:
    sent, *others = outbox.request(3)
    core.next(accept(), refusal)
    report = outbox.send(settings, core.url)
    assert (report.sent, report.pending, report.failed) == (1, 2, 0)
    assert report.stopped is not None
    assert report.stopped.startswith(f"Core Services answered: {said}. This is not about one case: check INSIGHTS_CORE")
    assert len(core.requests) == 2  # the redirect was not followed, nothing was tried again
    assert outbox.deliveries() == {sent: ("sent", 1, "201 made")}

    assert outbox.send(settings, core.url) == SendReport(sent=2)
    assert core.cases == [payload(case_id) for case_id in (sent, *others)]


def test_a_build_does_not_wait_for_a_sender(outbox: Outbox, core: CoreServices, settings: Settings) -> None:
    (case_id,) = outbox.request(1)
    built = []

    def build() -> None:
        """Take the writer's lock and lock the table of requests exclusively, as a build does."""
        with (
            connect(outbox.url, autocommit=True) as connection,
            writer_lock(Database(settings, connection)),
            connection.transaction(),
        ):
            connection.execute("lock table insights_ops.review_requests in access exclusive mode nowait")
            built.append("meanwhile")

    core.next(accept(build))
    assert outbox.send(settings, core.url) == SendReport(sent=1)
    assert built == ["meanwhile"]
    assert core.tries(case_id) == 1


def test_a_database_that_goes_away_in_the_middle(outbox: Outbox, core: CoreServices, settings: Settings) -> None:
    case_ids = outbox.request(3)
    core.next(accept(), accept(outbox.lose_senders))
    with pytest.raises(InsightsError, match=r"database failed \(terminating connection .* run the command again\.$"):
        outbox.send(settings, core.url)
    outbox.wait_for_no_sender()  # a sender that was stopped may hold the lock for a moment
    assert outbox.deliveries() == {case_ids[0]: ("sent", 1, "201 made")}
    assert outbox.send(settings, core.url) == SendReport(sent=2)
    assert core.cases == [payload(case_id) for case_id in case_ids]
    assert outbox.deliveries()[case_ids[1]] == ("sent", 1, "409 known")


def test_over_tls_the_certificate_counts(
    outbox: Outbox, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_and_certificate, certificate = make_certificate(tmp_path)
    (case_id,) = outbox.request(1)
    with CoreServices.started(key_and_certificate) as core:
        assert outbox.send(configured(settings, attempts_per_run=1), core.url) == SendReport(pending=1)
        assert "certificate verify failed" in outbox.deliveries()[case_id][2]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        other_name = core.url.replace("127.0.0.1", "localhost")
        assert outbox.send(configured(settings, attempts_per_run=1), other_name) == SendReport(pending=1)
        assert core.requests == []
        core.next(hang(accepting=True), pour("HTTP/1.1 2", "0", 0.1))
        assert outbox.send(configured(settings), core.url, seconds=1) == SendReport(sent=1)
        assert len(core.requests) >= 3
        assert all(json.loads(request.body) == payload(case_id) for request in core.requests)
        assert core.cases == [payload(case_id)]
