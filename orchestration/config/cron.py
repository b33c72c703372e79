"""Checks a cron expression, five fields with lists, ranges, steps and names, and finds its times.

It is hand-written because croniter comes with Airflow only, and because a message must name the wrong field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Literal

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_FROM_MONDAY = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
# name, minimum, maximum, names of the values from the minimum on
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_TO_SEARCH = 8 * 366  # the longest pause is that of 29 February around a year such as 2100
_PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,4}))?", re.ASCII)


def cron_problem(expression: str) -> str | None:
    """Return what is wrong with a cron expression of five fields and what would be right; None if it is valid."""
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        return (
            f"has {len(texts)} fields; cron needs five: minute, hour, day of month, month, day of week,"
            ' such as "0 2 * * *" for every day at 02:00'
        )
    values: list[set[int]] = []
    for text, (name, least, greatest, names) in zip(texts, _FIELDS, strict=True):
        found = _values(text, least, greatest, names)
        if not found:
            return (
                f"'{text}' is not a valid {name}; it must be *, or numbers from {least} to {greatest}, a-b, a,b or */n"
            )
        values.append(found)
    if texts[4] == "*" and min(values[2]) > max(_DAYS_OF_MONTH[month - 1] for month in values[3]):
        return f"never runs: none of its months has a day {min(values[2])}"
    return None


def latest_time(expression: str, now: datetime) -> datetime | None:
    """Return the latest time, at most `now`, of a valid expression; None if there is none in eight years.

    As in cron, of a restricted day of the month and a restricted day of the week, one is enough.
    """
    return next((moment for moment in _times(expression, now, -1) if moment <= now), None)


def next_time(expression: str, after: datetime) -> datetime | None:
    """Return the first time after `after` of a valid expression; None if there is none in eight years."""
    return next((moment for moment in _times(expression, after, 1) if moment > after), None)


def calendar_events(expression: str) -> list[str]:
    """Return a valid expression, which is in UTC, as calendar events of systemd, each of which has some of its times.

    A restricted day of the month and a restricted day of the week are two events, because systemd wants both at once.
    """
    minutes, hours, days, months, weekdays = expression.split()
    time_of_day = f"{_listed(hours, 1)}:{_listed(minutes, 0)}:00 UTC"
    day, month = _listed(days, 2), _listed(months, 3)
    names = sorted({(number - 1) % 7 for number in _values(weekdays, *_FIELDS[4][1:])})
    on_weekdays = "" if len(names) == len(_WEEKDAYS) else f"{','.join(_FROM_MONDAY[number] for number in names)} "
    if not days.startswith("*") and not weekdays.startswith("*"):
        return [f"*-{month}-{day} {time_of_day}", f"{on_weekdays}*-{month}-* {time_of_day}"]
    return [f"{on_weekdays}*-{month}-{day} {time_of_day}"]


def _listed(text: str, place: int) -> str:
    """Return the values of a field with commas, * for all."""
    _, least, greatest, names = _FIELDS[place]
    values = _values(text, least, greatest, names)
    return "*" if len(values) == greatest - least + 1 else ",".join(f"{value:02}" for value in sorted(values))


def _times(expression: str, start: datetime, step: Literal[-1, 1]) -> Iterator[datetime]:
    """Yield the times from the day of `start` on, forwards or backwards."""
    texts = expression.split()
    fields = [_values(text, *field[1:]) for text, field in zip(texts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = fields
    either = not texts[2].startswith("*") and not texts[4].startswith("*")
    for number in range(_DAYS_TO_SEARCH):
        day = start.date() + timedelta(days=step * number)
        matches = (day.day in days, bool({day.isoweekday(), day.isoweekday() % 7} & weekdays))
        if day.month in months and (any(matches) if either else all(matches)):
            moments = (datetime.combine(day, time(h, m), start.tzinfo) for h in hours for m in minutes)
            yield from sorted(moments, reverse=step < 0)


def _values(text: str, least: int, greatest: int, names: list[str]) -> set[int]:
    """Return the values of a field; empty if it is invalid."""
    values: set[int] = set()
    for part in text.split(","):
        found = _PART.fullmatch(part)
        if not found:
            return set()
        first = least if found["all"] else _value(found["first"], least, names)
        last = greatest if found["all"] else _value(found["last"], least, names) if found["last"] else first
        if found["step"] and not found["last"]:
            last = greatest
        step = int(found["step"] or 1)
        if not step or not least <= first <= last <= greatest:
            return set()
        values |= set(range(first, last + 1, step))
    return values


def _value(text: str, least: int, names: list[str]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + least
    return int(text) if re.fullmatch(r"\d{1,2}", text, re.ASCII) else -1
