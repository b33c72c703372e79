"""Core Services, an outbox, and `insights` with both; `pytest_plugins` names this module where they are needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from support.reviews.core_services import CoreServices
from support.reviews.review_outbox import TOKEN, Outbox

from orchestration.cli import main
from orchestration.config.files import Settings
from orchestration.reviews import core_services, send
from workshop.services import LocalPostgres

PATIENCE = 600  # seconds


@dataclass(frozen=True)
class Done:
    """A finished command."""

    exit_code: int
    out: str
    err: str


Insights = Callable[..., Done]


@pytest.fixture(scope="module")
def outbox(postgres: LocalPostgres, settings: Settings, request: pytest.FixtureRequest) -> Outbox:
    """Return one outbox for the tests of a module."""
    return Outbox.prepared(postgres, settings, request.module.__name__.removeprefix("test_"))


@pytest.fixture
def core() -> Iterator[CoreServices]:
    with CoreServices.started() as server:
        yield server


@pytest.fixture
def environment(outbox: Outbox, core: CoreServices, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", outbox.url)
    monkeypatch.setenv("INSIGHTS_CORE_API_URL", core.url)
    monkeypatch.setenv("INSIGHTS_CORE_API_TOKEN", TOKEN)
    # No second try because this process and its server stood still for a while.
    monkeypatch.setattr(send, "CoreServices", lambda url, token, _: core_services.CoreServices(url, token, PATIENCE))
    return monkeypatch


@pytest.fixture
def insights(environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Insights:
    """Run `insights ...` in this process; whatever it prints is looked through for the token."""

    def run(*arguments: str) -> Done:
        environment.setattr(sys, "argv", ["insights", *arguments])
        exit_code = 0
        try:
            main()
        except SystemExit as end:
            exit_code = int(end.code or 0)
        done = Done(exit_code, *capfd.readouterr())
        assert TOKEN not in done.out + done.err
        return done

    return run
