"""Fit the staged rows to the deployed tables: types of columns, and values for required columns that the log lacks.

Deployed tables have NOT NULL columns without a default. Each gets the first value that its type and its checks allow;
what remains is named in one error (docs/incident-import.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from orchestration.errors import NotPreparedError
from workshop.incidents.mapping import ORGANIZATION_SLUG

# Tried first in the columns of these names. Imported accounts have no password.
SENSIBLE = {
    "status": "active",
    "auth_provider": "external_only",
    "confidentiality_level": "normal",
    "escalation_level": "0",
}

# Tried in this order, by pg_type.typcategory; the labels of an enum are tried in their own order.
BY_CATEGORY = {"A": ("{}",), "B": ("false", "true"), "N": ("1", "0"), "S": ("", ORGANIZATION_SLUG), "T": ("0",)}
JSON = ("{}", "[]")

_COLUMNS = """
select
    a.attname,
    format_type(a.atttypid, a.atttypmod),
    a.attname = any(%(staged)s) as is_staged,
    a.attnotnull or t.typnotnull as is_required,
    t.typcategory::text,
    base.typname::text,
    array(select e.enumlabel::text from pg_enum as e where e.enumtypid = base.oid order by e.enumsortorder) as tokens,
    array(
        select pg_get_expr(c.conbin, c.conrelid)
        from pg_constraint as c
        where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
    ) as checks,
    exists (
        select from pg_index as i
        where i.indrelid = a.attrelid and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
    )
    or exists (
        select from pg_constraint as c
        where c.conrelid = a.attrelid and c.contype = 'f' and a.attnum = any(c.conkey)
    ) as is_key
from pg_attribute as a
inner join pg_type as t on a.atttypid = t.oid
inner join pg_type as base on base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
where
    a.attrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))
    and a.attnum > 0
    and not a.attisdropped
    and (
        a.attname = any(%(staged)s)
        or (
            (a.attnotnull or t.typnotnull)
            and not a.atthasdef
            and a.attidentity = ''
            and t.typdefault is null
        )
    )
order by a.attnum
"""

_IS_ALLOWED = sql.SQL(
    "select coalesce(bool_and(num_nulls({column}) = 0 and {checks}), true)"
    " from (select {value} as {column} from {staged} as staged) as rows"
)
_WITHOUT_VALUE = sql.SQL("select count(*) from {staged} where {column} is null")


class _Column(NamedTuple):
    """A column of a table that is staged, or required and without a default."""

    name: str
    type: str
    is_staged: bool
    is_required: bool
    category: str
    base: str
    tokens: list[str]
    checks: list[str]
    is_key: bool


@dataclass(frozen=True)
class Fit:
    """How the rows of `staged` go into `table` of `schema`.

    `types` are those of the staged columns in the table, `fillers` the values of its other required columns.
    """

    schema: str
    table: str
    staged: str
    types: dict[str, str] = field(default_factory=dict)
    fillers: dict[str, sql.Composable] = field(default_factory=dict)


def fit(cursor: Cursor[TupleRow], schema: str, relations: Mapping[str, str]) -> dict[str, Fit]:
    """Return how the staged relations go into the tables of a schema; `relations` are the staged ones by table.

    Raises NotPreparedError with every column that a table lacks, and every required one without a possible value.
    """
    fits = {table: Fit(schema, table, staged) for table, staged in relations.items()}
    problems = [problem for found in fits.values() for problem in _fit_table(cursor, found)]
    if problems:
        raise NotPreparedError(
            f"the operational tables cannot hold the log, nothing was written: {'; '.join(problems)}. The import needs"
            " the tables of the source contract; give other required columns a default"
        )
    return fits


def _fit_table(cursor: Cursor[TupleRow], found: Fit) -> list[str]:
    """Complete `found` and return what prevents it."""
    staged = _names(cursor, found.staged)
    rows = cursor.execute(_COLUMNS, {"schema": found.schema, "table": found.table, "staged": staged}).fetchall()
    columns = {column.name: column for column in (_Column(*row) for row in rows)}
    lacking = [name for name in staged if name not in columns]
    problems = [f"the table {found.table} lacks {', '.join(lacking)}"] if lacking else []
    found.types.update({name: columns[name].type for name in staged if name in columns})
    for column in columns.values():
        value = None if column.is_staged else _filler(cursor, found.staged, column)
        if value is not None:
            found.fillers[column.name] = value
        elif without := _rows_without_value(cursor, found.staged, column):
            name = f"{found.table}.{column.name} ({column.type})"
            problems.append(f"{name} is required, and the log has no value for {without}")
    return problems


def _rows_without_value(cursor: Cursor[TupleRow], staged: str, column: _Column) -> str:
    """Return which rows lack a value of a required column, as words, '' if none does."""
    if not column.is_staged:
        return "it"
    if not column.is_required:
        return ""
    query = _WITHOUT_VALUE.format(staged=sql.Identifier(staged), column=sql.Identifier(column.name))
    row = cursor.execute(query).fetchone()
    return f"it in {row[0]} rows" if row and row[0] else ""


def _names(cursor: Cursor[TupleRow], relation: str) -> list[str]:
    rows = cursor.execute(
        "select attname from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        [relation],
    )
    return [name for (name,) in rows.fetchall()]


def _filler(cursor: Cursor[TupleRow], staged: str, column: _Column) -> sql.Composable | None:
    """Return the first value that the column accepts in every staged row, None if there is none."""
    if column.is_key:
        return None
    for candidate in _candidates(column):
        value = sql.SQL("{}::{}").format(candidate, sql.SQL(column.type))
        if _is_allowed(cursor, staged, column, value):
            return value
    return None


def _candidates(column: _Column) -> list[sql.Composable]:
    if column.category == "D":
        return [sql.Identifier("staged", "created_at")]
    values: list[Any] = [SENSIBLE[column.name]] if column.name in SENSIBLE else []
    values += BY_CATEGORY.get(column.category, ())
    values += column.tokens
    values += JSON if column.base in ("json", "jsonb") else ()
    return [sql.Literal(value) for value in values]


def _is_allowed(cursor: Cursor[TupleRow], staged: str, column: _Column, value: sql.Composable) -> bool:
    checks: list[sql.Composable] = [sql.SQL("({}) is not false").format(sql.SQL(check)) for check in column.checks]
    query = _IS_ALLOWED.format(
        checks=sql.SQL(" and ").join(checks or [sql.SQL("true")]),
        value=value,
        column=sql.Identifier(column.name),
        staged=sql.Identifier(staged),
    )
    try:
        with cursor.connection.transaction():
            row = cursor.execute(query).fetchone()
    except (psycopg.DataError, psycopg.IntegrityError):
        return False
    return bool(row and row[0])
