"""Words a digest once for all its forms: subject, sentences, and tables of texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.digests.charts import Chart
from orchestration.digests.contents import Digest, Line, Name
from orchestration.digests.months import DomainYear, Figure
from orchestration.digests.plain import plain

HEADINGS: dict[Name, str] = {
    "opened": "New",
    "rose": "More severe",
    "goes_on": "Continuing",
    "ended": "Ended",
}
TITLES = {"weekly": "Weekly review", "monthly": "Monthly review", "yearly": "Leadership overview of the year"}
PERIODS = {"monthly": "month", "yearly": "year"}
COLUMNS = ("severity", "kind", "about", "cases", "reporters", "since")


@dataclass(frozen=True)
class Table:
    """A heading, the names of the columns, rows of texts, and how many rows are left out."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0


@dataclass(frozen=True)
class Message:
    """A digest in words: what both the text and the HTML of a message say. `link` is None without a page."""

    subject: str
    heading: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    footer: tuple[str, ...]
    link: str | None


def message(digest: Digest, charts: tuple[Chart, ...], page_url: str | None) -> Message:
    """Return the words of a digest with its charts; links lead to `page_url` only."""
    asked = digest.asked
    title = TITLES[asked.cadence]
    counts = {name: section.count for name, section in digest.sections.items()}
    short = f"{counts['opened']} new, {counts['rose']} more severe, {counts['ended']} ended"
    link = f"{page_url}#/organizations/{asked.organization_id}/patterns?cadence={asked.cadence}" if page_url else None
    return Message(
        subject=plain(f"{title} of {digest.organization}, {asked.review_date}: {short}"),
        heading=f"{title} of {digest.organization}",
        sentences=tuple(_sentences(digest, counts)),
        tables=tuple(_tables(digest)),
        charts=charts,
        footer=(f"This message is about patterns and tasks of visibility {' and '.join(asked.visibilities)} only.",),
        link=link,
    )


def _sentences(digest: Digest, counts: dict[Name, int]) -> Iterator[str]:
    first, last = digest.window
    yield f"Review of {digest.asked.review_date}, over the cases opened from {first} to {last}."
    firing = counts["opened"] + counts["rose"] + counts["goes_on"]
    if not firing:
        yield "No pattern was found."
    else:
        yield (
            f"{_counted(firing, 'pattern')}: {counts['opened']} new, {counts['rose']} more severe than at the review"
            f" before, {counts['goes_on']} continuing."
        )
    if counts["ended"]:
        yield f"{_counted(counts['ended'], 'pattern')} of the review before ended."
    if not digest.has_review_before:
        yield ("The review before was not made: every pattern counts as new, and earlier patterns were not compared.")


def _tables(digest: Digest) -> Iterator[Table]:
    for name, section in digest.sections.items():
        if section.lines:
            rows = tuple(_row(name, line) for line in section.lines)
            yield Table(HEADINGS[name], COLUMNS, rows, section.left_out)
    if digest.figures:
        period = PERIODS[digest.asked.cadence]
        figures = tuple((one.name, _number(one, one.now), _number(one, one.before)) for one in digest.figures)
        yield Table(f"Tasks of the {period}", ("tasks", f"last {period}", f"{period} before"), figures)
    if digest.domains:
        domains = tuple(_domain(one) for one in digest.domains)
        yield Table("Domains with the most tasks", ("domain", "opened", "year before", "deadlines missed"), domains)


def _row(name: Name, line: Line) -> tuple[str, ...]:
    is_risen = name == "rose"
    severity = f"{line.severity} (before: {line.severity_before})" if is_risen else line.severity
    is_compared = name != "ended" and line.cases_before is not None
    cases = f"{line.cases:,} (before: {line.cases_before:,})" if is_compared else f"{line.cases:,}"
    sources = "-" if line.sources is None else f"{line.sources:,}"
    return severity, line.kind_name, line.about, cases, sources, str(line.since)


def _domain(one: DomainYear) -> tuple[str, ...]:
    before = "-" if one.opened_before is None else f"{one.opened_before:,}"
    return one.domain, f"{one.opened:,}", before, _share(one.missed_share)


def _number(figure: Figure, value: float | None) -> str:
    if figure.is_share:
        return _share(value)
    return "-" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
