"""Merge staged rows into an operational table by id, writing only new and changed rows."""

from dataclasses import dataclass

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from workshop.incidents.fitting import Fit

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
insert into {table} ({inserted})
select {insertable}
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


def merge(cursor: Cursor[TupleRow], fit: Fit, *, update: bool) -> TableCount:
    """Insert the staged rows that the table lacks and, with `update`, update the rows that differ.

    Both relations have a column `id`. Types may differ (a token is an enum or text). A filler is only inserted.
    """
    names = {column: sql.Identifier(column) for column in (*fit.types, *fit.fillers)}
    values = {name: sql.SQL("staged.{}::{}").format(names[name], sql.SQL(kind)) for name, kind in fit.types.items()}
    comma = sql.SQL(", ")
    parts = {
        "table": sql.Identifier(fit.schema, fit.table),
        "staged": sql.Identifier(fit.staged),
        "inserted": comma.join(names.values()),
        "insertable": comma.join((*values.values(), *fit.fillers.values())),
        "values": comma.join(values.values()),
        "stored": comma.join(sql.SQL("stored.{}").format(names[column]) for column in values),
        "assignments": comma.join(sql.SQL("{} = {}").format(names[column], values[column]) for column in values),
    }
    updated = cursor.execute(_UPDATE.format(**parts)).rowcount if update else 0
    loaded = cursor.execute(_INSERT.format(**parts)).rowcount
    row = cursor.execute(sql.SQL("select count(*) from {staged}").format(**parts)).fetchone()
    total = int(row[0]) if row else 0
    return TableCount(loaded, updated, total - loaded - updated)
