"""How DuckDB writes a value for PostgreSQL, and how both write it for the checksum that they must agree on.

The checksum of a relation is the sum of 60 bits of the MD5 of each row, so it depends on every value and on how often a
row occurs, but not on the order of rows. It finds faults, not forgeries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.warehouse.duckdb.file import quoted

Columns = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Form:
    """The expressions for the values of a type, in which {0} is the column.

    `sent` is what COPY reads. `counted` and `recounted` are the same text in DuckDB and PostgreSQL.
    """

    sent: str = "cast({0} as varchar)"
    counted: str = "cast({0} as varchar)"
    recounted: str = "cast({0} as text)"


# The moment as DuckDB prints it in UTC; its own conversion follows the time zone of the session.
MOMENT = (
    "case when isfinite({0}) then cast(make_timestamp(epoch_us({0})) as varchar) || '+00' else cast({0} as varchar) end"
)
_FORMS = {
    "timestamp with time zone": Form(
        sent=MOMENT,
        counted="case when isfinite({0}) then cast(epoch_us({0}) as varchar) else cast({0} as varchar) end",
        recounted="case when isfinite({0}) then cast(cast(extract(epoch from {0}) * 1000000 as bigint) as text)"
        " else cast({0} as text) end",
    ),
    "[]": Form(
        sent="case when {0} is not null then '{{' || coalesce(array_to_string(list_transform(cast({0} as varchar[]),"
        " lambda e: case when e is null then 'NULL' else"
        " '\"' || replace(replace(e, '\\', '\\\\'), '\"', '\\\"') || '\"' end), ','), '') || '}}' end",
        counted="case when {0} is not null then cast(len({0}) as varchar) || chr(31) ||"
        " coalesce(array_to_string(list_transform(cast({0} as varchar[]),"
        " lambda e: coalesce(e, chr(30))), chr(31)), '') end",
        recounted="cast(cardinality({0}) as text) || chr(31) || array_to_string({0}, chr(31), chr(30))",
    ),
}
_NULL, _END = "chr(28)", "chr(29)"  # no text of a person has these characters
_PLAIN = Form()
# Types of which both engines write each value alike, or by a form of _FORMS. Others differ: 1.0 and 1 of float8,
# {"a":1} and {"a": 1} of jsonb.
SUPPORTED = (
    "boolean, smallint, integer, bigint, numeric(p,s), text, uuid, date, timestamp with time zone, text[], uuid[]"
)
_SUPPORTED = re.compile(
    r"boolean|smallint|integer|bigint|numeric\(\d+, ?\d+\)|date|timestamp with time zone|(text|uuid)(\[\])?"
)


def unsupported(columns: Columns) -> list[tuple[str, str]]:
    """Return the columns, as (name, type), whose values the engines may write differently."""
    return [(name, kind) for name, kind in columns if not _SUPPORTED.fullmatch(kind)]


def selected(columns: Columns, relation: str) -> str:
    """Return the query of DuckDB whose rows COPY reads."""
    values = [f"{_form(kind).sent.format(quoted(name))} as {quoted(name)}" for name, kind in columns]
    return f"select {', '.join(values)} from {relation}"  # noqa: S608 - the names are quoted


def counted(columns: Columns, relation: str) -> str:
    """Return the query of DuckDB for the number of rows and their checksum, as text."""
    row = _row(_form(kind).counted.format(quoted(name)) for name, kind in columns)
    checksum = f"coalesce(sum(cast('0x' || left(md5({row}), 15) as bigint)), 0)"
    return f"select count(*), cast({checksum} as varchar) from {relation}"  # noqa: S608 - the names are quoted


def recounted(columns: Columns, relation: str) -> str:
    """Return the query of PostgreSQL for the same."""
    row = _row(_form(kind).recounted.format(quoted(name)) for name, kind in columns)
    checksum = f"coalesce(sum(cast(cast('x' || left(md5({row}), 15) as bit(60)) as bigint)), 0)"
    return f"select count(*), cast({checksum} as text) from {relation}"  # noqa: S608 - the names are quoted


def _row(texts: Iterable[str]) -> str:
    return f" || {_END} || ".join(f"coalesce({text}, {_NULL})" for text in texts)


def _form(kind: str) -> Form:
    return _FORMS["[]"] if kind.endswith("[]") else _FORMS.get(kind, _PLAIN)
