"""A sender of review cases that is killed, and two senders at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from support.reviews.core_services import CoreServices, accept
from support.reviews.review_outbox import Outbox, payload
from support.reviews.review_sessions import PATIENCE, Done, Insights

from orchestration.config.files import PROJECT

pytest_plugins = ["support.reviews.review_sessions"]
pytestmark = pytest.mark.services

# `insights`, but for the time that it gives Core Services: the test may be slow to kill it, and means no second try.
PATIENT = f"""
from orchestration import cli
from orchestration.reviews import core_services, send
send.CoreServices = lambda url, token, _: core_services.CoreServices(url, token, {PATIENCE})
cli.main()
"""


def _start_sender() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PATIENT, "reviews", "send"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=PROJECT, env=os.environ, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize("status_of_known", [200, 409])
def test_a_sender_killed_between_their_accepting_and_our_recording(
    outbox: Outbox, core: CoreServices, insights: Insights, status_of_known: int
) -> None:
    case_ids = outbox.request(3)
    core.status_of_known = status_of_known
    killed = threading.Event()
    accepted = threading.Event()

    def until_killed() -> None:
        accepted.set()
        assert killed.wait(300)

    core.next(accept(), accept(until_killed))
    with _start_sender() as sender:
        assert accepted.wait(300)
        sender.send_signal(signal.SIGKILL)
        assert sender.wait() == -signal.SIGKILL
    killed.set()
    outbox.wait_for_no_sender()
    assert outbox.deliveries() == {case_ids[0]: ("sent", 1, "201 made")}
    assert [case["case_id"] for case in core.cases] == case_ids[:2]

    assert insights("reviews", "send") == Done(0, "2 sent, 0 pending, 0 failed\n", "")
    assert core.cases == [payload(case_id) for case_id in case_ids]
    assert outbox.deliveries()[case_ids[1]] == ("sent", 1, f"{status_of_known} known")


def test_two_senders_at_once(outbox: Outbox, core: CoreServices, insights: Insights) -> None:
    case_ids = outbox.request(2)
    accepted, second_is_done = threading.Event(), threading.Event()

    def until_the_second_is_done() -> None:
        accepted.set()
        assert second_is_done.wait(300)

    core.next(accept(until_the_second_is_done))
    with _start_sender() as first:
        assert accepted.wait(300)
        second = insights("reviews", "send")
        second_is_done.set()
        out, err = first.communicate()
    assert (second.exit_code, second.out) == (1, "")
    assert second.err.startswith("Error: Another process is sending review cases from this warehouse: process ")
    assert second.err.endswith(". Wait until it has finished.\n")
    assert (first.returncode, out, err) == (0, "2 sent, 0 pending, 0 failed\n", "")
    assert core.cases == [payload(case_id) for case_id in case_ids]
    assert len(core.requests) == 2
