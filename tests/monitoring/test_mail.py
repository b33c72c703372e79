"""Mail is sent once, within a time limit, and unencrypted to this machine only."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from support.monitoring.receivers import mail_server

from orchestration.monitoring.mail import UnencryptedError, send_mail


@pytest.fixture
def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "a@example.org", "b@example.org"
    message.set_content("x")
    return message


@pytest.mark.parametrize("farewell", ["221 bye", "421 closing", "250 ok"])
def test_what_the_server_has_taken_was_sent_whatever_it_says_to_the_farewell(mail: EmailMessage, farewell: str) -> None:
    with mail_server() as server:
        server.farewell = farewell
        send_mail(server.url, mail, 10)
        assert len(server.mails) == 1


def test_a_server_that_answers_byte_by_byte_is_cut_off(mail: EmailMessage) -> None:
    with mail_server() as server:
        server.drips = True
        with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
            send_mail(server.url, mail, 0.3)
        assert server.mails == []


def test_no_mail_that_must_be_encrypted_crosses_a_network_without(mail: EmailMessage) -> None:
    with mail_server() as server:
        send_mail(server.url, mail, 10, needs_tls=True)
        elsewhere = server.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 -- not this machine by its number
        with pytest.raises(UnencryptedError, match="offers no TLS"):
            send_mail(elsewhere, mail, 10, needs_tls=True)
        send_mail(elsewhere, mail, 10)
        assert len(server.mails) == 2


def test_an_address_of_another_kind_is_refused(mail: EmailMessage) -> None:
    with pytest.raises(ValueError, match="must begin with smtp:// or smtps://"):
        send_mail("ftp://mail.example.org", mail, 10)
