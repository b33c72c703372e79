"""Writes the values of a dashboard's columns as people read them: 2 h 5 min, 68.7%."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from orchestration.dashboards.panels import NUMBERS, Unit

DAY = 86_400  # seconds
_PARTS = (("d", DAY), ("h", 3_600), ("min", 60), ("s", 1))
PERCENT_OF = {"share": 100, "percent": 1}
IN_HEADINGS: dict[Unit, str] = {"share": "%", "percent": "%", "seconds": "time", "day": "UTC", "moment": "UTC"}
MONTH = len("2026-01")


def readable(unit: Unit, value: object) -> object:
    """Return a share or percentage in percent with one decimal, and seconds as a duration; anything else as it is."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    if unit in PERCENT_OF:
        return f"{_rounded(value * PERCENT_OF[unit]):,}%"
    return duration(value) if unit == "seconds" else value


def words(unit: Unit, value: object) -> str:
    """Return a value of a dimension as a text: In progress for IN_PROGRESS, yes or no for a flag, none for NULL."""
    if value is None:
        return "none"
    if unit == "flag":
        return "yes" if value else "no"
    return str(value).replace("_", " ").capitalize() if unit == "token" else str(value)


def shown(unit: Unit, value: object) -> object:
    """Return a value of any column as a terminal shows it: a number stays one, a token is in words, NULL stays NULL."""
    if value is None or unit in NUMBERS:
        return readable(unit, value)
    if unit in ("token", "flag"):
        return words(unit, value)
    return str(value)[:MONTH] if unit == "month" else value


def heading(unit: Unit, title: str) -> str:
    """Return the title of a column with the unit of its values, where the title does not say it."""
    return f"{title} ({IN_HEADINGS[unit]})" if unit in IN_HEADINGS else title


def signed(number: float) -> str:
    """Return a number with its sign and one decimal."""
    return f"{_rounded(number):+,}"


def duration(seconds: float) -> str:
    """Return a duration by its largest unit and the next one, rounded down, without a next one of 0."""
    left = abs(int(seconds))
    sign = "-" if seconds < 0 and left else ""
    for place, (name, size) in enumerate(_PARTS):
        if left >= size:
            parts = [f"{left // size:,} {name}"]
            for smaller, length in _PARTS[place + 1 : place + 2]:
                parts += [f"{left % size // length} {smaller}"] if left % size >= length else []
            return sign + " ".join(parts)
    return "0 s"


def _rounded(number: float) -> Decimal:
    """Return a number with one decimal, halves away from 0, as browsers do it."""
    return Decimal(repr(number)).quantize(Decimal("0.1"), ROUND_HALF_UP)
