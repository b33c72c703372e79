"""Find out whether the dates of a log are day first or month first, from the dates themselves."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.columns import MOMENT_FORMATS, MOMENTS, DateFormat
from workshop.incidents.errors import IncidentFileError

DATE_FORMATS = tuple(MOMENT_FORMATS)

# Numbers that only a day or only a month can be decide. Other values are left to the parser.
_SEEN = sql.SQL(
    """
with written as (
    select incident_raw.line, moments.name, moments.value, parts[1]::int as first, parts[2]::int as second
    from incident_raw
    cross join lateral (values {moments}) as moments (name, value)
    cross join lateral regexp_match(moments.value, '^(\\d\\d?)/(\\d\\d?)/\\d{{4}} ') as parts
    where incident_raw.reason is null
),

kinds as (
    select
        line,
        name,
        value,
        case
            when first between 13 and 31 and second <= 12 then 'day-first'
            when second between 13 and 31 and first <= 12 then 'month-first'
            when first <> second and greatest(first, second) <= 12 then 'either'
        end as kind
    from written
)

select distinct on (kind) kind, line, name, value from kinds where kind is not null order by kind, line, name
"""
)


class _Seen(NamedTuple):
    """The first value of a kind in the file."""

    line: int
    column: str
    value: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column} {self.value}"


def date_format(cursor: Cursor[TupleRow], file: str, given: DateFormat | None) -> DateFormat:
    """Return the format of the dates in incident_raw: the given one, else the one that its dates decide.

    Raises IncidentFileError if no date decides although some could be read both ways, or if dates of both kinds occur.
    """
    if given:
        return given
    moments = sql.SQL(", ").join(sql.SQL("({}, {})").format(name, sql.Identifier(name)) for name in MOMENTS)
    rows = cursor.execute(_SEEN.format(moments=moments)).fetchall()
    seen = {kind: _Seen(*place) for kind, *place in rows}
    day, month = (seen.get(name) for name in DATE_FORMATS)
    if day and month:
        raise IncidentFileError(
            f"{file} has dates of both kinds: {day} is day first, {month} is month first. Nothing was written. Say"
            f" which format is right with --date-format {' or '.join(DATE_FORMATS)}; rows of the other kind are then"
            " rejected"
        )
    if not (day or month) and "either" in seen:
        raise IncidentFileError(
            f"{file}, {seen['either']}: the day and the month cannot be told apart, here or in any other date of the"
            f" file. Nothing was written. Say which format it is with --date-format {' or '.join(DATE_FORMATS)}"
        )
    return "month-first" if month else "day-first"
