"""The statements of an export: how many rows there are, and the COPY that streams them.

They are made of names from dbt's manifest, SQL of the exposures, and literals that psycopg quotes; nothing that a user
typed is in them but an id that was found in the warehouse and two dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from psycopg import sql

from orchestration.config.consistency import AS_ROWS
from orchestration.config.files import Settings
from orchestration.config.tokens import Visibility
from orchestration.errors import NotBuiltError
from orchestration.exports.columns import OutColumn, row_columns, safe_in_spreadsheets
from orchestration.exports.definitions import Definition
from orchestration.exports.relations import Scope, is_of, is_visible, joined, texts
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import Load, newest_loads
from orchestration.warehouse.names import Names

_Typed = tuple[str, str, sql.Composable]  # a column's name, type and value

STRICTNESS: tuple[Visibility, ...] = get_args(Visibility)
_CSV = sql.SQL("copy ({query}) to stdout (format csv, header true)")
# JSON text has no control character, so nothing is ever quoted or escaped: each line is one value.
_JSON_LINES = sql.SQL(
    r"copy (select row_to_json(export) from ({query}) as export)"
    r" to stdout (format csv, quote e'\x01', delimiter e'\x02')"
)


@dataclass(frozen=True)
class Query:
    """An export as SQL: its columns, what its rows come from, which of them and in what order ('' when not said)."""

    columns: list[OutColumn]
    source: sql.Composable
    where: sql.Composable
    order: sql.Composable

    @property
    def masked_columns(self) -> list[str]:
        """The columns that are masked, each with how, as in `full_name (hmac-sha256)`."""
        return [f"{column.name} ({column.mask})" for column in self.columns if column.mask]

    def count(self, db: Database, at_most: int) -> int:
        """How many rows there are, counted to `at_most`."""
        query = sql.SQL("select count(*) from (select 1 from {source}{where} limit {limit}) as counted")
        return int(db.value(query.format(source=self.source, where=self.where, limit=at_most)))

    def copy_statement(self, file_format: str) -> sql.Composed:
        """The COPY that writes the rows in a format (csv, csv.gz, jsonl)."""
        is_csv = file_format != "jsonl"
        columns = [
            sql.SQL("{} as {}").format(safe_in_spreadsheets(c) if is_csv else c.value, sql.Identifier(c.name))
            for c in self.columns
        ]
        joins = sql.SQL("").join(c.join for c in self.columns if c.join)
        query = sql.SQL("select {} from {}{}{}{}").format(
            sql.SQL(", ").join(columns), self.source, joins, self.where, self.order
        )
        return (_CSV if is_csv else _JSON_LINES).format(query=query)


def read_load(db: Database, definition: Definition) -> Load:
    """The load that the export's first relation is of; raises NotBuiltError when there was none."""
    name = definition.parts[0].name
    loads = newest_loads(db, [name])
    if name not in loads:
        raise NotBuiltError(f"{name} was never loaded here. Run: insights build")
    return loads[name]


def build_query(settings: Settings, definition: Definition, scope: Scope, *, is_masked: bool) -> Query:
    """The statements of one export."""
    if definition.kind == "rows":
        where = [*_in_range(definition, scope), is_visible(definition, scope.visible)]
        columns = row_columns(definition, scope, is_masked=is_masked)
        return Query(columns, joined(definition), sql.SQL(" where ") + sql.SQL(" and ").join(where), sql.SQL(""))
    return _cells(settings, definition, scope)


def visible_as_rows(settings: Settings) -> list[Visibility]:
    """The visibilities that may leave as rows: those that the configuration allows, but never a stricter one (D12)."""
    return [v for v in settings.insights.exports.allowed_visibilities if v in AS_ROWS]


def _cells(settings: Settings, definition: Definition, scope: Scope) -> Query:
    """Cells that do not depend on the question: finished months, the declared dimensions, the visibility.

    Whether a cell is left out is decided by the cell alone, so no two questions can be subtracted from each other.
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
    return Query(columns, source, sql.SQL(""), order)


def _in_range(definition: Definition, scope: Scope) -> list[sql.Composable]:
    first = definition.parts[0].name
    day = sql.Identifier(first, definition.date)
    return [
        is_of(definition, scope.organization_id),
        sql.SQL("{} >= {}::date").format(day, scope.since.isoformat()),
        sql.SQL("{} < {}::date").format(day, scope.until.isoformat()),
    ]


def _in_finished_months(settings: Settings, scope: Scope, day: sql.Composable) -> list[sql.Composable]:
    """Over before the load's horizon, and begun within raw retention, so that nothing of them is gone (decision D8)."""
    horizon = sql.SQL("{}::date").format(scope.load.horizon.isoformat())
    days = settings.insights.retention.raw_event_retention_days.of(settings.environment)
    cutoff = Names.of(settings).ops("retention_cutoff")
    return [
        sql.SQL("{} < date_trunc('month', {}::timestamp)").format(day, horizon),
        # A subquery of its own, so that the function is called once and not for every row.
        sql.SQL("date_trunc('month', {}::timestamp) >= (select {}('raw_event', {}, {}))").format(
            day, cutoff, horizon, days
        ),
    ]


def _strictest(definition: Definition) -> sql.Composable:
    """The strictest visibility of what is under a row (design, rule 4); an unknown one is RESTRICTED."""
    tokens, restricted = texts(STRICTNESS), STRICTNESS.index("RESTRICTED") + 1
    columns = [(part, sql.Identifier(part.name, "visibility")) for part in definition.parts if part.has_visibility]
    ranks = [
        sql.SQL("case when {} is not null then coalesce(array_position({}, {}), {}) end").format(
            sql.Identifier(part.name, part.key or "visibility"), tokens, column, restricted
        )
        for part, column in columns
    ]
    return sql.SQL("({})[greatest({})]").format(tokens, sql.SQL(", ").join(ranks))
