"""Digests reach a real mail server and a real webhook, each once, and never more than their readers may see."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support.digests.by_hand import AS_OF, HOSPITAL, LAST, NEWEST, STORES, make_review, recipient, sent, with_digests
from support.digests.receiver import SECRET_PART, Receiver
from support.monitoring.receivers import MailServer
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import CONFIG_FILE, PROJECT, Settings, load_settings
from orchestration.digests.ledger import newest_by_status
from orchestration.errors import BadInputError, BusyError, InsightsError
from orchestration.monitoring.server_checks import server_checks
from orchestration.runs.work import WORK, Run
from orchestration.warehouse.claims import held
from orchestration.warehouse.database import Database
from orchestration.warehouse.source.guard import Confirmed

pytestmark = pytest.mark.services

LEDGER = (
    "select recipient, review_date::text, channel, status, attempts from insights_ops.digest_deliveries order by 1, 2"
)


def test_each_recipient_gets_its_digest_once(
    warehouse: Warehouse, settings: Settings, post: MailServer, chat: Receiver
) -> None:
    mine = with_digests(
        settings,
        recipient(),
        recipient("chat", webhook_url="${CHAT_URL}"),
        recipient("stores", organization=STORES),
    )
    told = sent(mine)
    assert [(one.planned.recipient.name, one.status) for one in told] == [
        *(("heads", "sent"), ("chat", "sent")),
        ("stores", "sent"),
    ]
    of_hospital, of_stores = post.mails
    assert (of_hospital["To"], of_stores["To"]) == ("heads@hospital.example.org", "stores@hospital.example.org")
    whole = {name: mail.as_string() for name, mail in (("hospital", of_hospital), ("stores", of_stores))}
    assert "Kitchen" in whole["hospital"] and "Shelf" not in whole["hospital"]
    assert "Shelf" in whole["stores"] and "Kitchen" not in whole["stores"]
    ((key, document),) = chat.got
    assert key == document["digest_id"] == str(told[1].planned.key.digest_id)
    assert of_hospital["Message-ID"] == f"<{told[0].planned.key.digest_id}@localhost>"
    assert [line["about"] for line in document["patterns"]["goes_on"]["listed"]] == [
        '101.12.Kitchen cleaning "lobby"',
    ]
    for text in (*whole.values(), str(document)):
        assert "Secret" not in text and "Hidden" not in text
    assert sent(mine) == []
    assert (len(post.mails), len(chat.got)) == (2, 1)
    assert warehouse.rows(LEDGER) == [
        ("chat", NEWEST, "webhook", "sent", 1),
        ("heads", NEWEST, "mail", "sent", 1),
        ("stores", NEWEST, "mail", "sent", 1),
    ]


def test_what_is_not_delivered_is_tried_again_and_holds_up_no_other(
    warehouse: Warehouse, settings: Settings, post: MailServer, chat: Receiver
) -> None:
    chat.status, chat.says = 503, f"busy at {SECRET_PART}"
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), recipient())
    told = sent(mine)
    assert [one.status for one in told] == ["pending", "sent"]
    assert "a-secret-part" not in told[0].answer and told[0].answer.startswith("503 busy at")
    assert len(chat.got) == 3  # attempts_per_run
    chat.status = 200
    assert [one.status for one in sent(mine)] == ["sent"]
    assert {key for key, _ in chat.got} == {str(told[0].planned.key.digest_id)}
    assert warehouse.rows(LEDGER)[0] == ("chat", NEWEST, "webhook", "sent", 4)
    assert len(post.mails) == 1


def test_a_server_that_is_down_is_not_tried_for_each_digest(
    warehouse: Warehouse, settings: Settings, post: MailServer, chat: Receiver
) -> None:
    chat.status = 503
    names = ("a", "b", "c", "d")
    down = [recipient(name, webhook_url="${CHAT_URL}") for name in names]
    mine = with_digests(settings, *down, recipient(), attempts_per_run=1)
    answers = {one.planned.recipient.name: one.answer for one in sent(mine)}
    assert answers["d"] == "its server did not take 3 digests in a row"  # reviews.stop_after_undelivered
    assert (len(chat.got), len(post.mails)) == (3, 1)
    assert [row[4] for row in warehouse.rows(LEDGER) if row[0] in names] == [1, 1, 1, 0]
    chat.status = 200
    told = sent(mine)
    assert [(one.planned.recipient.name, one.status) for one in told] == [(name, "sent") for name in "dabc"]


def test_nothing_is_sent_as_of_a_day_in_the_future(warehouse: Warehouse, settings: Settings, post: MailServer) -> None:
    with pytest.raises(BadInputError, match="is in the future"):
        sent(with_digests(settings, recipient()), datetime.now(UTC).date() + timedelta(days=2))
    assert post.mails == []


def test_digests_of_recipients_that_were_removed_do_not_wait_for_ever(
    warehouse: Warehouse, settings: Settings, chat: Receiver
) -> None:
    def waiting(settings: Settings) -> dict[str, int]:
        with Database.open(settings) as db:
            return {str(status): number for status, number in newest_by_status(db).items()}

    chat.status = 503
    today = datetime.now(UTC).date()
    monday = (today - timedelta(days=today.weekday())).isoformat()
    make_review(warehouse, monday)
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), attempts_per_run=1)
    sent(mine, today)
    assert waiting(mine) == {"pending": 1, "failed": 0, "sent": 0}
    paused = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}", paused=True))
    for other in (settings, paused, with_digests(settings, recipient("renamed"))):
        assert waiting(other) == {"pending": 0, "failed": 0, "sent": 0}
    warehouse.execute("update insights_ops.digest_deliveries set review_date = review_date - 14")
    assert waiting(mine) == {"pending": 0, "failed": 0, "sent": 0}
    sent(settings, today)
    assert [row[3] for row in warehouse.rows(LEDGER)] == ["failed"]
    warehouse.execute("delete from insights_ops.load_log where invocation_id = 'by hand' and as_of > '2026-03-01'")


def test_one_that_is_refused_has_failed_until_it_is_asked_for(
    warehouse: Warehouse, settings: Settings, chat: Receiver
) -> None:
    chat.status = 400
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"))
    assert [one.status for one in sent(mine)] == ["failed"]
    assert sent(mine) == []
    chat.status = 200
    assert [one.status for one in sent(mine, retries_failed=True)] == ["sent"]


def test_a_wrong_place_stays_pending_and_says_what_to_set(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAIN_URL", "http://chat.example.org/hooks/T0")
    monkeypatch.setenv("BROKEN_URL", "https://user:hidden@chat.example.org/")
    mine = with_digests(
        settings,
        recipient("unset", webhook_url="${NO_SUCH_URL}"),
        recipient("plain", webhook_url="${PLAIN_URL}"),
        recipient("broken", webhook_url="${BROKEN_URL}"),
        recipient("mail"),
    )
    assert [(one.status, one.answer) for one in sent(mine)] == [
        ("pending", "the environment variable of webhook_url is not set"),
        ("pending", "webhook_url begins with http://, which would show the digest to the network"),
        ("pending", "webhook_url must be like https://chat.example.org/hooks/T0"),
        ("pending", "no mail server: set INSIGHTS_ALERT_SMTP_URL"),
    ]


def test_an_older_review_is_tried_again_as_long_as_it_is_news(
    warehouse: Warehouse, settings: Settings, post: MailServer, chat: Receiver
) -> None:
    chat.status = 503
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), attempts_per_run=1)
    assert [one.planned.key.review_date.isoformat() for one in sent(mine, date.fromisoformat(LAST))] == [LAST]
    chat.status = 200
    # On the day of the next review, both are due; a recipient that is new gets the newest only.
    both = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), recipient())
    days = [(one.planned.recipient.name, str(one.planned.key.review_date)) for one in sent(both)]
    assert days == [("heads", NEWEST), ("chat", LAST), ("chat", NEWEST)]
    # Twelve days after a review that could not be delivered, it is no news.
    warehouse.execute("update insights_ops.digest_deliveries set status = 'pending' where recipient = 'chat'")
    assert [str(one.planned.key.review_date) for one in sent(mine, date(2026, 2, 14))] == [NEWEST]
    assert warehouse.rows(LEDGER)[0] == ("chat", LAST, "webhook", "failed", 2)


def test_a_sender_that_is_killed_sends_the_same_digest_again(
    warehouse: Warehouse, settings: Settings, chat: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_CONFIG", str(configured(tmp_path)))
    command = [sys.executable, "-m", "orchestration.cli", "digest", "send", "--as-of", NEWEST]
    program = [sys.executable, "-c", "from orchestration.cli import main; main()", *command[3:]]
    with subprocess.Popen(program, cwd=PROJECT) as process:
        chat.kills = process.pid
        assert process.wait(120) == -9
    assert warehouse.rows(LEDGER) == []
    chat.kills = None
    assert [one.status for one in sent(load_settings())] == ["sent"]
    (first, _), (second, _) = chat.got
    assert first == second


def test_only_one_sender_runs(warehouse: Warehouse, settings: Settings, post: MailServer) -> None:
    with Database.open(settings) as db, held(db, "digest sender", "sending"), pytest.raises(BusyError):
        sent(with_digests(settings, recipient()))
    assert post.mails == []


def test_the_step_of_a_dag_succeeds_whatever_becomes_of_a_digest(
    warehouse: Warehouse, settings: Settings, chat: Receiver
) -> None:
    def run(settings: Settings) -> Any:
        return WORK["send_digests"](Run(settings, AS_OF, Confirmed(), said.append))

    said: list[str] = []
    assert run(settings) == {"sent": 0, "pending": 0, "failed": 0}
    chat.status = 503
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), recipient(paused=True))
    assert run(mine) == {"sent": 0, "pending": 1, "failed": 0}
    assert said == ["heads, weekly: none, paused", f"chat, weekly review of {NEWEST}: pending, 503"]
    with Database.open(settings) as db, held(db, "digest sender", "sending digests from this warehouse"):
        assert run(mine) == {"sent": 0, "pending": 0, "failed": 0}
    assert said[-1].startswith("No digest was sent. Another process")


def test_a_warehouse_without_bookkeeping_fails_no_dag(
    prepared: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    said: list[str] = []
    run = Run(with_digests(settings, recipient()), AS_OF, Confirmed(), said.append)
    assert WORK["send_digests"](run) == {"sent": 0, "pending": 0, "failed": 0}
    assert said[0].startswith("No digest was sent. No review has been built here yet.")
    prepared.execute("drop table insights_ops.digest_deliveries")
    WORK["send_digests"](run)
    assert "insights init" in said[1]


def test_the_doctor_says_what_was_not_delivered(warehouse: Warehouse, settings: Settings, chat: Receiver) -> None:
    def finding(settings: Settings) -> tuple[str, str]:
        with Database.open(settings) as db:
            (one,) = [found for check in checks() for found in check(db) if found.check == "digests"]
        return one.state, one.says

    def checks() -> list[Any]:
        return [check for check in server_checks(is_serving=False) if check.__name__ == "_digests"]

    assert finding(settings) == ("ok", "insights.digests.recipients is empty")
    chat.status = 400
    # The doctor looks at the reviews of today, so a review of today must be there.
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    make_review(warehouse, monday.isoformat())
    mine = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"), recipient(organization="nowhere"))
    sent(mine, today)
    assert finding(mine) == ("attention", "chat: 400; nothing may be sent to heads")
    chat.status = 200
    sent(mine, today, retries_failed=True)
    right = with_digests(settings, recipient("chat", webhook_url="${CHAT_URL}"))
    assert finding(right) == ("ok", "none is undelivered")
    warehouse.execute("delete from insights_ops.load_log where invocation_id = 'by hand' and as_of > '2026-03-01'")


def configured(folder: Path) -> Path:
    """Return a configuration with a webhook for the hospital."""
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    one = {"name": "chat", "organization": HOSPITAL, "roles": ["manager"], "scope": "user", "cadences": ["weekly"]}
    recipients = [one | {"webhook_url": "${CHAT_URL}"}]
    document["insights"]["digests"] |= {"recipients": recipients, "attempts_per_run": 1}
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    return file


def test_commands(warehouse: Warehouse, chat: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(commands, ["digest", *arguments], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.stdout

    assert run("list") == "insights.digests.recipients is empty: no digest is sent.\n"
    assert run("send") == "0 sent, 0 pending, 0 failed\n"
    monkeypatch.setenv("INSIGHTS_CONFIG", str(configured(tmp_path)))
    monkeypatch.setenv("INSIGHTS_AS_OF", NEWEST)
    listed = run("list", "--format", "csv").splitlines()
    assert listed == [
        "recipient,organization,cadence,review_date,channel,status,attempts,last_attempt_at,answer",
        f"chat,{HOSPITAL},weekly,{NEWEST},webhook,due,0,,",
    ]
    chat.status = 503
    assert "0 sent, 1 pending, 0 failed" in run("send", code=1)
    chat.status = 200
    assert "1 sent, 0 pending, 0 failed" in run("send")
    assert run("list", "--format", "csv").splitlines()[1].startswith(f"chat,{HOSPITAL},weekly,{NEWEST},webhook,sent,2,")
    text = run("show", HOSPITAL, "weekly", "--role", "manager")
    assert text == chat.got[-1][1]["text"]
    page = run("show", HOSPITAL, "weekly", "--role", "manager", "--as", "html")
    assert 'src="data:image/png;base64,' in page
    assert "Kitchen" in run("show", HOSPITAL, "weekly", "--role", "manager", "--as", "json")
    with pytest.raises(InsightsError, match="No yearly review was made up to 2025-06-01"):
        CliRunner().invoke(
            commands,
            ["digest", "show", HOSPITAL, "yearly", "--role", "manager", "--as-of", "2025-06-01"],
            catch_exceptions=False,
        )
