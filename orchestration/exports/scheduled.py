"""Makes the exports of `insights.exports.scheduled` for the day, week or month that ended last (decision D226)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from orchestration.config.files import Settings
from orchestration.config.outputs_model import ScheduledExport
from orchestration.errors import InsightsError, UnavailableError
from orchestration.exports.audit import was_finished
from orchestration.exports.definitions import Definition
from orchestration.exports.names import S3
from orchestration.exports.query import read_load
from orchestration.exports.request import Request, find_definition
from orchestration.exports.run import run_export
from orchestration.warehouse.database import Database

Period = Literal["day", "week", "month"]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Made:
    """What became of one scheduled export: where it is and its rows, or why not; neither if it was made before."""

    request: Request
    location: str | None = None
    rows: int = 0
    error: InsightsError | None = None

    def __str__(self) -> str:
        """Return what became of it, in words."""
        if self.error:
            return str(self.error)
        return f"{self.rows:,} rows in {self.location}" if self.location else "made before"


def last_period(every: Period, as_of: date) -> tuple[date, date]:
    """Return the first day, and the day after the last, of the latest period that had ended at the beginning of a day.

    A week begins on Monday.
    """
    match every:
        case "day":
            return as_of - DAY, as_of
        case "week":
            monday = as_of - as_of.weekday() * DAY
            return monday - 7 * DAY, monday
        case "month":
            first = as_of.replace(day=1)
            return (first - DAY).replace(day=1), first


def requests(settings: Settings, every: Period, as_of: date) -> list[Request]:
    """Return the exports that are declared for a period, for the one that ended last before `as_of`."""
    return [
        _request(one, *last_period(every, as_of)) for one in settings.insights.exports.scheduled if one.every == every
    ]


def make_scheduled(settings: Settings, definitions: dict[str, Definition], wanted: Iterable[Request]) -> Iterator[Made]:
    """Make each export that was not made before; one that fails holds up no other.

    An export is of data that are loaded up to its last day; until then it fails with an error that is transient.
    """
    for request in wanted:
        try:
            with Database.open(settings, settings.export_url) as db:
                if was_finished(db, request):
                    yield Made(request)
                    continue
                _check_loaded(db, find_definition(definitions, request), request)
            done = run_export(settings, definitions, request)
        except InsightsError as error:
            yield Made(request, error=error)
        else:
            yield Made(request, done.location, done.rows)


def _request(one: ScheduledExport, since: date, until: date) -> Request:
    name = f"{one.name}_{since}"
    place = one.place or ""
    output = f"{place.rstrip('/')}/{name}" if place.startswith(S3) else name
    return Request(one.export, one.organization, since, until, one.format, one.user, output)


def _check_loaded(db: Database, definition: Definition, request: Request) -> None:
    load = read_load(db, definition)
    if load.horizon < request.until:
        raise UnavailableError(
            f"{definition.parts[0].name} holds data before {load.horizon} only, and {request.output} is about"
            f" days up to {request.until - DAY}. It is made after the next load."
        )
