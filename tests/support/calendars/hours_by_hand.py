"""Open hours counted minute by minute in plain Python: what clocks show, and whether it is a time of the hours."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

from bisect import bisect_left
from calendar import day_name
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from zoneinfo import ZoneInfo

Span = tuple[str, str]
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Calendar:
    """Hours by weekday, and the days whose hours replace them; a day without hours is closed."""

    weekdays: dict[str, list[Span]]
    holidays: dict[date, list[Span]] = field(default_factory=dict)

    def minutes(self, day: date) -> bytes:
        """Return for each minute of a local date, by what clocks show, whether it is one of the hours."""
        flags = bytearray(24 * 60)
        for opens, closes in self.holidays.get(day, self.weekdays.get(day_name[day.weekday()], [])):
            for number in range(_number(opens), _number(closes)):
                flags[number] = 1
        return bytes(flags)


def _number(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


@dataclass(frozen=True)
class Clock:
    """A calendar on the clocks of a time zone, from one UTC date to before another."""

    start: datetime
    is_open: bytearray
    before: list[int]

    @classmethod
    def of(cls, calendar: Calendar, zone: str, start: date, end: date) -> Clock:
        minutes, days = bytearray(), lru_cache(calendar.minutes)
        for day, shown in _quarters(zone, start, end):
            minutes += days(day)[shown : shown + 15]
        first = datetime(start.year, start.month, start.day, tzinfo=UTC)
        return cls(first, minutes, [0, *accumulate(minutes)])

    def business_seconds(self, moment: datetime, seconds: int | None) -> int | None:
        """Return the open part of a duration, in whole seconds."""
        if seconds is None:
            return None
        passed = self.microseconds(moment + timedelta(seconds=seconds)) - self.microseconds(moment)
        return passed // 1_000_000

    def microseconds(self, moment: datetime) -> int:
        """Return the open microseconds from the start to a moment."""
        number, rest = divmod(moment - self.start, MINUTE)
        return 60_000_000 * self.before[number] + self.is_open[number] * (rest // timedelta(microseconds=1))

    def stretches(self) -> list[tuple[datetime, datetime]]:
        """Return the stretches of time in which it is open without a break."""
        found, padded = [], [0, *self.is_open, 0]
        changes = [number for number in range(len(padded) - 1) if padded[number] != padded[number + 1]]
        for opens, closes in zip(changes[::2], changes[1::2], strict=True):
            found.append((self.start + opens * MINUTE, self.start + closes * MINUTE))
        return found


@lru_cache(maxsize=2)  # those of a zone take some megabytes
def _quarters(zone: str, start: date, end: date) -> list[tuple[date, int]]:
    """Return what clocks of a zone show as each quarter of an hour begins: the date, and the minute of that day."""
    first, clocks, found = datetime(start.year, start.month, start.day, tzinfo=UTC), ZoneInfo(zone), []
    for quarter in range((end - start).days * 24 * 4):
        moment = first + 15 * quarter * MINUTE
        local, last = moment.astimezone(clocks), (moment + 14 * MINUTE).astimezone(clocks)
        if local.utcoffset() != last.utcoffset() or local.date() != last.date():
            raise AssertionError(f"{zone} at {moment}")  # no zone changes its clocks within a quarter of an hour
        found.append((local.date(), 60 * local.hour + local.minute))
    return found


def clock_changes(zone: str, start: date, end: date) -> list[datetime]:
    """Return the moments at which clocks of a zone change, found by comparing neighboring minutes of uneven days."""
    clocks, found = ZoneInfo(zone), []
    days = [
        datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=n) for n in range((end - start).days)
    ]
    for day in days:
        offsets = [(day + n * MINUTE).astimezone(clocks).utcoffset() for n in (0, 24 * 60)]
        if offsets[0] != offsets[1]:
            within = range(1, 24 * 60 + 1)
            found.append(
                day
                + MINUTE
                * within[
                    bisect_left(
                        within, True, key=lambda n: (day + n * MINUTE).astimezone(clocks).utcoffset() == offsets[1]
                    )
                ]
            )
    return found


def seeds(calendars: dict[str, Calendar], assigned: Iterable[tuple[str, str, str]]) -> str:
    """Return SQL that replaces the three loaded files: the calendars by name, and slug, calendar and zone."""
    schema = "insights_staging"
    lines = [f"delete from {schema}.{name};" for name in ("business_calendars", "business_hours", "business_holidays")]
    for line in assigned:
        lines.append(f"insert into {schema}.business_calendars values {line};")
    for name, calendar in calendars.items():
        for weekday, hours in calendar.weekdays.items():
            lines += [f"insert into {schema}.business_hours values {(name, weekday, *span)};" for span in hours]
        for day, hours in calendar.holidays.items():
            spans = [f"'{opens}', '{closes}'" for opens, closes in hours] or ["null, null"]
            lines += [
                f"insert into {schema}.business_holidays values ('{name}', '{day}', {span}, 'x');" for span in spans
            ]
    return "\n".join(lines)
