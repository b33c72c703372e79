"""A digest as text, HTML, JSON and mail: everything is said in each, and hostile text of the source stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from uuid import UUID

import pytest
from support.digests.by_hand import pattern_id, recipient, with_digests

from orchestration.config.files import Settings
from orchestration.dashboards.drawing import Point
from orchestration.digests.as_html import as_html
from orchestration.digests.as_json import as_json
from orchestration.digests.as_text import as_text
from orchestration.digests.channels import Content, _secrets, deliver, mail_of
from orchestration.digests.charts import Chart, charts, drawn
from orchestration.digests.contents import Digest, Line, Name, Question, Reviewed, Section
from orchestration.digests.months import DomainYear, Figure, Month
from orchestration.digests.plain import plain
from orchestration.digests.words import Message, message
from orchestration.reviews.core_services import Outcome
from orchestration.reviews.redaction import without_secrets

ORGANIZATION, DIGEST = UUID(int=10), UUID(int=77)
PAGE = "https://insights.example.org/"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
REVERSED = "Ward\u202e3B\r\nBcc: everybody@example.org\x1b[31m\x00"
PNG_BEGINS = b"\x89PNG\r\n\x1a\n"


def line(number: int, **other: object) -> Line:
    given = Line(
        pattern_id=pattern_id(number),
        kind="incident_frequency",
        kind_name="Incident frequency",
        about=plain(HOSTILE),
        severity="MAJOR",
        severity_before=None,
        cases=1200,
        cases_before=None,
        sources=None,
        since=date(2025, 12, 1),
    )
    return replace(given, **other)  # type: ignore[arg-type]


@pytest.fixture
def digest() -> Digest:
    """Return a yearly digest in which each part has something."""
    asked = Question(
        organization_id=ORGANIZATION,
        cadence="yearly",
        review_date=date(2026, 1, 1),
        visibilities=("PUBLIC", "INTERNAL"),
        window_days=730,
        max_lines=20,
        earlier=(date(2025, 1, 1), date(2026, 1, 1)),
        aggregates_from=date(1970, 1, 1),
        aggregates_to=date(2026, 1, 1),
    )
    sections: dict[Name, Section] = {
        "opened": Section((line(1),), 3),
        "rose": Section((line(2, severity="CRITICAL", severity_before="MINOR", cases=4, cases_before=2),), 0),
        "goes_on": Section((), 0),
        "ended": Section((line(3, cases=6),), 0),
    }
    return Digest(
        asked=asked,
        slug="st-mary",
        organization=plain(f"St. Mary {REVERSED}"),
        first_day=date(2024, 1, 2),
        sections=sections,
        history=(Reviewed(date(2025, 1, 1), 2, 0), Reviewed(date(2026, 1, 1), 4, 1)),
        months=(Month(date(2025, 11, 1), 7, 5, 2, 4, 1), Month(date(2025, 12, 1), 9, 3, 8, 4, 2)),
        figures=(Figure("opened", False, 16, None), Figure("deadlines missed", True, 0.375, 0.5)),
        domains=(DomainYear("maintenance", 1016, 12, None),),
    )


@pytest.fixture
def content(digest: Digest) -> Content:
    """Return it with its pictures."""
    said: list[str] = []
    found = tuple(drawn(charts(digest), said.append))
    assert said == []
    return Content(DIGEST, digest, message(digest, found, PAGE))


SINCE = "since: 2025-12-01"
TEXT = f"""\
Leadership overview of the year of St. Mary Ward 3B Bcc: everybody@example.org [31m
===================================================================================

Review of 2026-01-01, over the cases opened from 2024-01-02 to 2025-12-31.
5 patterns: 4 new, 1 more severe than at the review before, 0 continuing.
1 pattern of the review before ended.

New
---
* MAJOR; kind: Incident frequency; about: {HOSTILE}; cases: 1,200; reporters: -; since: 2025-12-01
  and 3 more

More severe
-----------
* CRITICAL (before: MINOR); kind: Incident frequency; about: {HOSTILE}; cases: 4 (before: 2); reporters: -; {SINCE}

Ended
-----
* MAJOR; kind: Incident frequency; about: {HOSTILE}; cases: 6; reporters: -; since: 2025-12-01

Tasks of the year
-----------------
* opened; last year: 16; year before: -
* deadlines missed; last year: 37.5%; year before: 50.0%

Domains with the most tasks
---------------------------
* maintenance; opened: 1,016; year before: 12; deadlines missed: -

Patterns at each yearly review. 2025-01-01: 2 new, 0 continuing; 2026-01-01: 4 new, 1 continuing.

Tasks opened and closed by month. 2025-11: 7 opened, 5 closed; 2025-12: 9 opened, 3 closed.

All patterns: https://insights.example.org/#/organizations/00000000-0000-0000-0000-00000000000a/patterns?cadence=yearly

This message is about patterns and tasks of visibility PUBLIC and INTERNAL only.
"""


def test_the_text_says_everything(content: Content) -> None:
    assert as_text(content.message) == TEXT


class Elements(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data


def test_html_escapes_all_and_loads_nothing(content: Content) -> None:
    page = Elements(as_html(content.message, lambda chart: f"cid:{chart.name}"))
    allowed = {"html", "head", "meta", "title", "body", "h1", "h2", "p", "a", "img"}
    assert {tag for tag, _ in page.elements} <= allowed | {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.text.count(HOSTILE) == 3
    assert [a["href"] for tag, a in page.elements if tag == "a"] == [content.message.link]
    pictures = [(a["src"], a["alt"]) for tag, a in page.elements if tag == "img"]
    assert pictures == [(f"cid:{chart.name}", chart.text) for chart in content.message.charts]
    assert {name for _, attributes in page.elements for name in attributes} <= {
        *("lang", "charset", "style", "scope", "href", "src", "alt"),
    }
    without = Elements(as_html(content.without_pictures().message, lambda _: ""))
    assert "img" not in {tag for tag, _ in without.elements}
    for chart in content.message.charts:
        assert chart.text in without.text


def test_without_a_page_there_is_no_link(digest: Digest) -> None:
    words = message(digest, (), None)
    assert "<a " not in as_html(words, lambda _: "")
    assert "http" not in as_text(words)


def parsed(mail: EmailMessage) -> EmailMessage:
    found = message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_mail_is_text_and_html_with_its_pictures_inside(settings: Settings, content: Content) -> None:
    mail = parsed(mail_of(settings, recipient(), content))
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert text.get_content() == TEXT
    assert html.get_content_type() == "multipart/related"
    page, *pictures = html.iter_parts()
    sources = [a["src"] for tag, a in Elements(page.get_content()).elements if tag == "img"]
    assert sources == [f"cid:{picture['Content-ID'].strip('<>')}" for picture in pictures]
    assert all(picture.get_content().startswith(PNG_BEGINS) for picture in pictures)
    assert len(pictures) == 2
    assert {picture.get_content_disposition() for picture in pictures} == {"inline"}
    expected = "Leadership overview of the year of St. Mary Ward 3B Bcc: everybody@example.org [31m, 2026-01-01: 4 new,"
    assert mail["Subject"] == f"{expected} 1 more severe, 1 ended"
    assert mail["Bcc"] is None
    assert (mail["To"], mail["Message-ID"]) == ("heads@hospital.example.org", f"<{DIGEST}@localhost>")
    assert mail["Auto-Submitted"] == "auto-generated"


def test_json_has_the_values_and_the_text(content: Content) -> None:
    document = json.loads(json.dumps(as_json(DIGEST, content.digest, content.message)))
    assert document["text"] == TEXT.replace("<", "&lt;").replace(">", "&gt;")
    assert document["organization"]["id"] == str(ORGANIZATION)
    assert document["window"] == {"first_day": "2024-01-02", "last_day": "2025-12-31"}
    assert document["patterns"]["opened"]["count"] == 4
    assert document["patterns"]["opened"]["listed"][0]["about"] == HOSTILE
    assert document["figures"][1] == {"name": "deadlines missed", "is_share": True, "now": 0.375, "before": 0.5}
    assert [chart["name"] for chart in document["charts"]] == ["patterns", "tasks"]
    assert document["charts"][1]["points"][0] == {"x": "2025-11", "series": "opened", "y": 7}
    assert document["charts"][0]["picture"]["media_type"] == "image/png"


def test_long_domains_keep_the_addresses_of_pictures(settings: Settings, content: Content) -> None:
    alerts = settings.insights.alerts.model_copy(update={"mail_from": f"insights@{'long-' * 12}name.example.org"})
    mine = replace(settings, insights=settings.insights.model_copy(update={"alerts": alerts}))
    lines = mail_of(mine, recipient(), content).as_bytes().decode().splitlines()
    assert [line for line in lines if line.startswith("Content-ID:")] == [
        "Content-ID: <patterns@insights>",
        "Content-ID: <tasks@insights>",
    ]
    (number,) = (number for number, line in enumerate(lines) if line.startswith("Message-ID:"))
    whole = lines[number] + (lines[number + 1] if lines[number + 1].startswith(" ") else "")
    assert f"<{DIGEST}@{'long-' * 12}name.example.org>" in whole


def test_a_webhook_that_repeats_a_part_of_its_address_is_not_believed() -> None:
    parts = _secrets("https://chat.example.org/hooks/T0/a-secret-part-123456?token=abcdefghijk&x=%2Fshort%2Fone")
    said = "no hook with id a-secret-part-123456; bad token abcdefghijk, /short/one"
    assert without_secrets(said, parts) == "no hook with id ***; bad token ***, ***"


@pytest.mark.parametrize("where", [{"mail": "a@example.org"}, {"webhook_url": "http://127.0.0.1:1/", "mail": None}])
def test_a_message_that_is_too_large_is_refused(settings: Settings, content: Content, where: dict[str, str]) -> None:
    small = with_digests(settings, max_kilobytes=1)
    answer = deliver(small, recipient(**where), content)
    assert (answer.outcome, answer.text) == (
        Outcome.REFUSED,
        "the message is larger than digests.max_kilobytes (1) even without pictures",
    )


def test_without_the_library_of_charts_their_words_are_there(digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    said: list[str] = []
    found = drawn(charts(digest), said.append)
    assert [chart.png for chart in found] == [None, None]
    assert "requirements/charts.txt" in said[0]


def test_a_chart_of_nothing_is_left_out(digest: Digest) -> None:
    assert charts(replace(digest, history=(), months=())) == []
    (chart,) = charts(replace(digest, months=()))
    text = "Patterns at each yearly review. 2025-01-01: 2 new, 0 continuing; 2026-01-01: 4 new, 1 continuing."
    assert chart == Chart(
        "patterns",
        "Patterns at each yearly review",
        (
            *(Point("2025-01-01", "new", 2), Point("2025-01-01", "continuing", 0)),
            *(Point("2026-01-01", "new", 4), Point("2026-01-01", "continuing", 1)),
        ),
        text,
    )


def test_a_text_is_one_short_line_without_marks() -> None:
    assert plain(REVERSED) == "Ward 3B Bcc: everybody@example.org [31m"
    assert plain("x" * 201) == "x" * 199 + "…"
    assert plain(" a\tb\u2028c ") == "a b c"


def test_words_of_a_first_review(digest: Digest) -> None:
    empty = replace(
        digest,
        sections={name: Section((), 0) for name in digest.sections},
        asked=replace(digest.asked, earlier=(date(2026, 1, 1),)),
    )
    said: Message = message(empty, (), None)
    assert said.sentences[1:] == (
        "No pattern was found.",
        "The review before was not made: every pattern counts as new, and earlier patterns were not compared.",
    )
