"""Merge staged rows into an operational table by id, writing only new and changed rows."""

from dataclasses import dataclass

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.errors import IncidentImportError

_COLUMNS = """
select staged.attname, format_type(target.atttypid, target.atttypmod)
from pg_attribute as staged
left join pg_attribute as target
    on target.attrelid = to_regclass(%(table)s) and target.attname = staged.attname and not target.attisdropped
where staged.attrelid = to_regclass(%(staged)s) and staged.attnum > 0 and not staged.attisdropped
order by staged.attnum
"""

_UPDATE = sql.SQL(
    """
update {table} as stored
set {assignments}
from {staged} as staged
where staged.id = stored.id and ({stored}) is distinct from ({values})
"""
)

_INSERT = sql.SQL(
    """
insert into {table} ({columns})
select {values}
from {staged} as staged
where not exists (select from {table} as stored where stored.id = staged.id)
"""
)


@dataclass(frozen=True)
class TableCount:
    """The number of staged rows of one table by outcome.

    `loaded`: inserted; `updated`: existed and differed; `unchanged`: existed and did not differ;
    `repeated`: identical to an earlier row of the file; `rejected`: listed in the report.
    """

    loaded: int
    updated: int
    unchanged: int
    repeated: int = 0
    rejected: int = 0

    @property
    def merged(self) -> int:
        """The number of rows whose key already existed: `updated`, `unchanged` and `repeated`."""
        return self.updated + self.unchanged + self.repeated


def merge(cursor: Cursor[TupleRow], table: str, staged: str, *, update: bool) -> TableCount:
    """Insert the rows of `staged` that `table` lacks and, with `update`, update the rows that differ.

    Both have a column `id`. Every column of `staged` must exist in `table`, where its type may differ (a token is an
    enum or text). Raises IncidentImportError when `table` lacks a column.
    """
    types = _column_types(cursor, table, staged)
    names = {column: sql.Identifier(column) for column in types}
    values = {column: sql.SQL("staged.{}::{}").format(names[column], sql.SQL(kind)) for column, kind in types.items()}
    comma = sql.SQL(", ")
    parts = {
        "table": sql.Identifier(table),
        "staged": sql.Identifier(staged),
        "columns": comma.join(names.values()),
        "values": comma.join(values.values()),
        "stored": comma.join(sql.SQL("stored.{}").format(name) for name in names.values()),
        "assignments": comma.join(sql.SQL("{} = {}").format(names[column], values[column]) for column in types),
    }
    updated = cursor.execute(_UPDATE.format(**parts)).rowcount if update else 0
    loaded = cursor.execute(_INSERT.format(**parts)).rowcount
    row = cursor.execute(sql.SQL("select count(*) from {staged}").format(**parts)).fetchone()
    total = int(row[0]) if row else 0
    return TableCount(loaded, updated, total - loaded - updated)


def _column_types(cursor: Cursor[TupleRow], table: str, staged: str) -> dict[str, str]:
    types: dict[str, str | None] = dict(cursor.execute(_COLUMNS, {"table": table, "staged": staged}).fetchall())
    missing = [column for column, kind in types.items() if kind is None]
    if missing:
        raise IncidentImportError(
            f"the table {table} lacks {', '.join(missing)}; the import needs the tables of the source contract"
        )
    return {column: kind for column, kind in types.items() if kind is not None}
