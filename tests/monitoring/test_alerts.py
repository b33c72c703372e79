"""`insights alerts test`: a message to each place, and why it did not arrive."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.monitoring.receivers import mail_server, webhook

from orchestration.cli import commands
from orchestration.config.files import load_settings
from orchestration.errors import MisconfiguredError
from orchestration.monitoring.alerts import deliver

WEBHOOK, SMTP = "INSIGHTS_ALERT_WEBHOOK_URL", "INSIGHTS_ALERT_SMTP_URL"


def test_it_goes_to_each_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as chat, mail_server() as post:
        monkeypatch.setenv(WEBHOOK, chat.url)
        monkeypatch.setenv(SMTP, post.url)
        result = CliRunner().invoke(commands, ["alerts", "test"])
    assert (result.exit_code, result.output) == (0, "Sent to the webhook, data-team@example.org by mail.\n")
    assert chat.texts == ["Test of Orgo Insights\nThis is a test from dev. Nothing failed."]
    (mail,) = post.mails
    assert (mail["From"], mail["To"]) == ("orgo-insights@localhost", "data-team@example.org")
    assert str(mail.get_payload()).strip() == "This is a test from dev. Nothing failed."


def test_nothing_configured_is_an_error_that_says_what_to_set() -> None:
    result = CliRunner().invoke(commands, ["alerts", "test"])
    assert isinstance(result.exception, MisconfiguredError)
    assert WEBHOOK in str(result.exception)


def test_a_failure_says_why_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as chat:
        chat.status = 500
        monkeypatch.setenv(WEBHOOK, chat.url)
        monkeypatch.setenv(SMTP, "smtp://user:hidden@127.0.0.1:1")
        result = CliRunner().invoke(commands, ["alerts", "test"])
    assert result.exit_code == 1
    assert "webhook: the answer was 500" in result.output
    assert "mail: [Errno 111] Connection refused" in result.output
    assert "hidden" not in result.output
    assert "secret-part" not in result.output


def test_one_place_that_fails_does_not_keep_the_message_from_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as post:
        monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:1/x")
        monkeypatch.setenv(SMTP, post.url)
        (failure,) = deliver(load_settings(), "Subject", "text")
    assert failure.startswith("webhook: ")
    assert len(post.mails) == 1
