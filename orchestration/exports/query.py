"""Builds the statements of an export: the count of its rows, and the COPY that streams them.

They consist of names from dbt's manifest, SQL of the exposures, and literals quoted by psycopg. The only user input is
two dates and an organization, which is replaced by its id in the warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from psycopg import sql

from orchestration.config.consistency import AS_ROWS
from orchestration.config.files import Settings
from orchestration.config.tokens import Visibility
from orchestration.errors import NotBuiltError
from orchestration.exports.columns import OutColumn, row_columns, safe_in_spreadsheets
from orchestration.exports.definitions import Definition
from orchestration.exports.masking import masked_rows
from orchestration.exports.relations import Scope, is_of, is_visible, joined, texts
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import Load, newest_loads
from orchestration.warehouse.names import Names

_Typed = tuple[str, str, sql.Composable]  # a column's name, type and value

STRICTNESS: tuple[Visibility, ...] = get_args(Visibility)
PORTION = 2_000  # rows that the client holds at a time
_CSV = sql.SQL("copy ({query}) to stdout (format csv, header true)")
# JSON contains no control characters, so that CSV never quotes or escapes: each line is one JSON value.
_JSON_LINES = sql.SQL(
    r"copy (select row_to_json(export) from ({query}) as export)"
    r" to stdout (format csv, quote e'\x01', delimiter e'\x02')"
)


@dataclass(frozen=True)
class Query:
    """An export as SQL: its columns, its FROM, WHERE and ORDER BY clauses (WHERE may be empty).

    `source` has the rows without masks, which suffices to count them; `masked_source` those that leave.
    """

    columns: list[OutColumn]
    source: sql.Composable
    masked_source: sql.Composable
    where: sql.Composable
    order: sql.Composable

    @property
    def masked_columns(self) -> list[str]:
        """The masked columns with their method, such as `full_name (hmac-sha256)`."""
        return [f"{column.name} ({column.mask})" for column in self.columns if column.mask]

    def count(self, db: Database, at_most: int) -> int:
        """Return the number of rows, or `at_most` if there are more."""
        return int(db.value(self.count_statement(at_most)))

    def count_statement(self, at_most: int) -> sql.Composed:
        """Return the query of `count`."""
        query = sql.SQL("select count(*) from (select 1 from {source}{where} limit {limit}) as counted")
        return query.format(source=self.source, where=self.where, limit=at_most)

    def copy_statement(self, file_format: str) -> sql.Composed:
        """Return the COPY that writes the rows in a format (csv, csv.gz, jsonl)."""
        return (_JSON_LINES if file_format == "jsonl" else _CSV).format(query=self.rows(file_format))

    def values(self, db: Database, file_format: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows as Python values, a portion at a time from the server, for a format with types."""
        with db.connection.cursor(name="export") as cursor:
            cursor.itersize = PORTION
            yield from cursor.execute(self.rows(file_format))

    def rows(self, file_format: str) -> sql.Composed:
        """Return the query of the rows that leave in a format."""
        columns = [sql.SQL("{} as {}").format(_shaped(c, file_format), sql.Identifier(c.name)) for c in self.columns]
        joins = sql.SQL("").join(c.join for c in self.columns if c.join)
        return sql.SQL("select {} from {}{}{}{}").format(
            sql.SQL(", ").join(columns), self.masked_source, joins, self.where, self.order
        )


def _shaped(column: OutColumn, file_format: str) -> sql.Composable:
    """Return the SQL of a value in a format: only CSV guards texts, only .xlsx has no lists."""
    if file_format in ("csv", "csv.gz"):
        return safe_in_spreadsheets(column)
    if file_format == "xlsx" and (column.data_type.endswith("[]") or column.data_type.startswith("json")):
        return sql.SQL("({})::text").format(column.value)
    return column.value


def read_load(db: Database, definition: Definition) -> Load:
    """Return the newest load of the export's first relation; raises NotBuiltError if there is none."""
    name = definition.parts[0].name
    loads = newest_loads(db, [name])
    if name not in loads:
        raise NotBuiltError(f"{name} was never loaded here. Run: insights build")
    return loads[name]


def build_query(settings: Settings, definition: Definition, scope: Scope, *, is_masked: bool) -> Query:
    """Return the SQL of an export for one request."""
    if definition.kind == "rows":
        where = [*_in_range(definition, scope), is_visible(definition, scope.visible)]
        names = Names.of(settings)
        columns = row_columns(definition, scope, names, is_masked=is_masked)
        rows = {name: masked_rows(name, scope.organization_id, names) for name in definition.masked_parts if is_masked}
        return Query(
            columns,
            joined(definition),
            joined(definition, rows),
            sql.SQL(" where ") + sql.SQL(" and ").join(where),
            _in_order(columns),
        )
    return _cells(settings, definition, scope)


def _in_order(columns: list[OutColumn]) -> sql.Composable:
    """Return the order by all that leaves, from the first column on (decision D275).

    The order in which the table has its rows would tell which were written again, although nothing that leaves changed.
    Only values of the type json have no order.
    """
    places = [sql.Literal(place) for place, column in enumerate(columns, 1) if column.data_type != "json"]
    return sql.SQL(" order by ") + sql.SQL(", ").join(places)


def visible_as_rows(settings: Settings) -> list[Visibility]:
    """Return the visibilities of rows that may be exported: as configured, but only PUBLIC and INTERNAL (D12)."""
    return [v for v in settings.insights.exports.allowed_visibilities if v in AS_ROWS]


def _cells(settings: Settings, definition: Definition, scope: Scope) -> Query:
    """Return a query for cells by finished month, declared dimensions and visibility, whatever the requested range.

    The suppression of a cell depends on the cell alone, so that the difference of two exports reveals nothing.
    """
    visibility = _strictest(definition)
    day = sql.Identifier(definition.parts[0].name, definition.date)
    keys: list[_Typed] = [("month", "date", sql.SQL("date_trunc('month', {}::timestamp)::date").format(day))]
    keys += [(d.name, d.column.data_type, sql.Identifier(d.part.name, d.column.name)) for d in definition.dimensions]
    keys += [("visibility", "text", visibility)]
    numbers: list[_Typed] = [
        (m.name, m.data_type, sql.SQL("({})::{}").format(sql.SQL(m.sql), sql.SQL(m.data_type)))
        for m in definition.measures
    ]
    where = [*_in_range(definition, scope), *_in_finished_months(settings, scope, day)]
    source = sql.SQL(
        "(select {columns} from {joined} where {where} group by {keys}"
        " having {visibility} = any({visible}) or ({group_size}) >= {least}) as cells"
    ).format(
        columns=sql.SQL(", ").join(
            sql.SQL("{} as {}").format(v, sql.Identifier(name)) for name, _, v in keys + numbers
        ),
        joined=joined(definition),
        where=sql.SQL(" and ").join(where),
        keys=sql.SQL(", ").join(value for _, _, value in keys),
        visibility=visibility,
        visible=texts(scope.visible),
        group_size=sql.SQL(definition.group_size),
        least=settings.insights.exports.min_group_size,
    )
    columns = [OutColumn(name, data_type, sql.Identifier("cells", name)) for name, data_type, _ in keys + numbers]
    order = sql.SQL(" order by {}").format(sql.SQL(", ").join(sql.Identifier("cells", name) for name, _, _ in keys))
    return Query(columns, source, source, sql.SQL(""), order)


def _in_range(definition: Definition, scope: Scope) -> list[sql.Composable]:
    first = definition.parts[0].name
    day = sql.Identifier(first, definition.date)
    return [
        is_of(definition, scope.organization_id),
        sql.SQL("{} >= {}::date").format(day, scope.since.isoformat()),
        sql.SQL("{} < {}::date").format(day, scope.until.isoformat()),
    ]


def _in_finished_months(settings: Settings, scope: Scope, day: sql.Composable) -> list[sql.Composable]:
    """Return conditions for months that end before the load's horizon and begin within raw retention (decision D8)."""
    horizon = sql.SQL("{}::date").format(scope.load.horizon.isoformat())
    days = settings.insights.retention.raw_event_retention_days.of(settings.environment)
    cutoff = Names.of(settings).ops("retention_cutoff")
    return [
        sql.SQL("{} < date_trunc('month', {}::timestamp)").format(day, horizon),
        # A subquery, so that the function is called once and not for each row.
        sql.SQL("date_trunc('month', {}::timestamp) >= (select {}('raw_event', {}, {}))").format(
            day, cutoff, horizon, days
        ),
    ]


def _strictest(definition: Definition) -> sql.Composable:
    """Return the strictest visibility of the joined rows (design, rule 4); an unknown token counts as RESTRICTED."""
    tokens, restricted = texts(STRICTNESS), STRICTNESS.index("RESTRICTED") + 1
    columns = [(part, sql.Identifier(part.name, "visibility")) for part in definition.parts if part.has_visibility]
    ranks = [
        sql.SQL("case when {} is not null then coalesce(array_position({}, {}), {}) end").format(
            sql.Identifier(part.name, part.key or "visibility"), tokens, column, restricted
        )
        for part, column in columns
    ]
    return sql.SQL("({})[greatest({})]").format(tokens, sql.SQL(", ").join(ranks))
