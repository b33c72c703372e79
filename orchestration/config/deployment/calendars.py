"""Checks the files of the business calendars, and names file, line and column of a mistake (decision D219).

The files are seeds/calendars/business_calendars.csv, business_hours.csv and business_holidays.csv. Reads files only.
"""

from __future__ import annotations

import re
from calendar import day_name
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from orchestration.config.deployment.lines import Line, named, read_lines, repeated
from orchestration.config.problems import Problem, nearest

FOLDER = Path("seeds/calendars")
COLUMNS = {
    "business_calendars": ("organization_slug", "calendar", "timezone"),
    "business_hours": ("calendar", "weekday", "opens", "closes"),
    "business_holidays": ("calendar", "day", "opens", "closes", "name"),
}
WEEKDAYS = tuple(day_name)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_END_OF_DAY = "24:00"


def calendar_problems(project: Path) -> list[Problem]:
    """Return the errors of the three files below `project`; none where they are absent."""
    problems: list[Problem] = []
    lines = {name: read_lines(project, FOLDER / f"{name}.csv", columns, problems) for name, columns in COLUMNS.items()}
    hours, holidays = lines["business_hours"], lines["business_holidays"]
    known = {line.cells["calendar"] for line in hours}
    problems += repeated(lines["business_calendars"], ("organization_slug",))
    for line in lines["business_calendars"]:
        problems += _calendar(line, known)
    for line in hours:
        weekday = line.cells["weekday"]
        if weekday not in WEEKDAYS:
            problems.append(
                line.problem("weekday", f"must be one of {', '.join(WEEKDAYS)}.{nearest(weekday, WEEKDAYS)}")
            )
        problems += [*named(line, "calendar"), *_span(line)]
    for line in holidays:
        problems += _holiday(line, known)
    problems += _overlaps(hours, ("calendar", "weekday"))
    problems += _overlaps([line for line in holidays if line.cells["opens"]], ("calendar", "day"))
    problems += _closed_and_open(holidays)
    return problems


def _calendar(line: Line, known: set[str]) -> Iterator[Problem]:
    timezone = line.cells["timezone"]
    yield from named(line, "organization_slug")
    yield from _of_known_calendar(line, known)
    if not _is_timezone(timezone):
        known_zones = available_timezones()  # reads hundreds of files
        says = f"must be an IANA time zone, such as Europe/Bucharest.{nearest(timezone, known_zones)}"
        yield line.problem("timezone", says)


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # KeyError: no such zone
        return False
    return True


def _of_known_calendar(line: Line, known: set[str]) -> Iterator[Problem]:
    calendar = line.cells["calendar"]
    if calendar not in known:
        yield line.problem("calendar", f"has no hours in business_hours.csv.{nearest(calendar, known)}")


def _holiday(line: Line, known: set[str]) -> Iterator[Problem]:
    yield from _of_known_calendar(line, known)
    yield from named(line, "name")
    day = line.cells["day"]
    try:
        if date.fromisoformat(day).isoformat() != day:
            raise ValueError
    except ValueError:
        yield line.problem("day", "must be a date, such as 2026-12-25")
    opens, closes = line.cells["opens"], line.cells["closes"]
    if bool(opens) != bool(closes):
        missing = "closes" if opens else "opens"
        yield line.problem(missing, "both times must be given, or, for a day that is closed, neither")
    elif opens:
        yield from _span(line)


def _span(line: Line) -> Iterator[Problem]:
    """Yield what is wrong with the times of a line, which must lie on one day."""
    opens, closes = line.cells["opens"], line.cells["closes"]
    if not _TIME.fullmatch(opens):
        yield line.problem("opens", "must be a time from 00:00 to 23:59, such as 09:00")
    if not (_TIME.fullmatch(closes) or closes == _END_OF_DAY):
        yield line.problem("closes", "must be a time from 00:01 to 24:00, such as 17:00")
    elif _TIME.fullmatch(opens) and closes <= opens:
        halves = f"{opens} to 24:00, and 00:00 to {closes} of the next day"
        says = f"must be later than {opens}; hours past midnight are two lines: {halves}"
        yield line.problem("closes", says)


def _overlaps(lines: list[Line], columns: tuple[str, str]) -> Iterator[Problem]:
    """Yield the lines whose hours begin before those of another line of the same day end."""
    by_day: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in lines:
        if not list(_span(line)):
            by_day[tuple(line.cells[column] for column in columns)].append(line)
    for of_day in by_day.values():
        ordered = sorted(of_day, key=lambda line: (line.cells["opens"], line.number))
        latest = ordered[0]
        for line in ordered[1:]:
            if line.cells["opens"] < latest.cells["closes"]:
                yield line.problem(
                    "opens", f"overlaps with line {latest.number}, which closes at {latest.cells['closes']}"
                )
            latest = max(latest, line, key=lambda each: each.cells["closes"])


def _closed_and_open(lines: list[Line]) -> Iterator[Problem]:
    """Yield the lines that close a day for which another line has hours, or which is closed already."""
    first: dict[tuple[str, str], Line] = {}
    for line in lines:
        other = first.setdefault((line.cells["calendar"], line.cells["day"]), line)
        if other is not line and not (line.cells["opens"] and other.cells["opens"]):
            yield line.problem(
                "day", f"is in line {other.number} too; a day is closed by one line, or has hours in each"
            )
