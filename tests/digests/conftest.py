"""A warehouse with two weekly reviews by hand, and places that digests go to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.digests.by_hand import LAST, NEWEST, STORES, find, make_review
from support.digests.receiver import Receiver, receiver
from support.monitoring.receivers import MailServer, mail_server
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from workshop.services import LocalPostgres


@pytest.fixture(scope="package")
def reviewed(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Iterator[Warehouse]:
    """Return the sample with two weekly reviews by hand, of which the hospital and the stores have one pattern each."""
    with disposable_copy(built_sample, "digest_send", postgres, settings) as warehouse:
        for day in (LAST, NEWEST):
            make_review(warehouse, day)
        find(warehouse, NEWEST, 1, about="Kitchen")
        find(warehouse, NEWEST, 2, about="Secret", visibility="RESTRICTED")
        find(warehouse, NEWEST, 3, about="Hidden", visibility="ANONYMISED")
        find(warehouse, NEWEST, 4, about="Shelf", slug=STORES)
        yield warehouse


@pytest.fixture
def warehouse(reviewed: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return it with no digest delivered, and with the addresses of the roles in the environment."""
    reviewed.execute("truncate insights_ops.digest_deliveries")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", reviewed.etl_url)
    monkeypatch.setenv("INSIGHTS_EXPORT_WAREHOUSE_URL", reviewed.postgres.url(reviewed.name, "orgo_insights_export"))
    return reviewed


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """Return a mail server, in the environment."""
    with mail_server() as server:
        monkeypatch.setenv("INSIGHTS_ALERT_SMTP_URL", server.url)
        yield server


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Return a webhook, in the environment."""
    with receiver() as server:
        monkeypatch.setenv("CHAT_URL", server.url)
        yield server
