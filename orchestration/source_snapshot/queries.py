"""The statements that read the operational tables for a snapshot.

What is read of a table is what its staging model reads: only the contract's columns, converted where the deployed
database differs, and each row once (macros/source). dbt writes these queries, so that there is one such rule.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import FailedError
from orchestration.warehouse.contract import ContractTable

# The table that has the organization of a table without one: the column that refers to it, and its name.
OWNERS = {
    "learning_group_memberships": ("learning_group_id", "learning_groups"),
    "task_assignments": ("task_id", "tasks"),
    "task_comments": ("task_id", "tasks"),
}
MARK = "-- operational table: "
_QUERY = (
    "{mark}{table}\n"
    "{{{{ without_repeated_rows('{table}') if repeated_rows('{table}') else source_select('{table}') }}}}\n"
)
# Microseconds since 1970 of the ends of time: what DuckDB takes for infinity, and from where a time no longer fits.
INFINITY = 2**63 - 1
_END_OF_TIME = "294247-01-01 00:00:00+00"
# How values are written: times in microseconds since 1970, intervals in words that DuckDB reads, arrays as JSON, flat.
_VALUES: dict[str, LiteralString] = {
    "timestamp with time zone": f"""
        case
            when {{name}} = '-infinity' then -{INFINITY}
            when {{name}} >= '{_END_OF_TIME}' then {INFINITY}
            else (extract(epoch from {{name}}) * 1000000)::bigint
        end
    """,
    "interval": """
        case when {name} is not null then concat(
            extract(year from {name}) * 12 + extract(month from {name}), ' months ', extract(day from {name}), ' days ',
            (extract(hour from {name}) * 60 + extract(minute from {name})) * 60000000
            + extract(microseconds from {name}), ' microseconds'
        ) end
    """,
    "text[]": "case when {name} is not null then to_json(array(select unnest({name}))) end",
}


@dataclass(frozen=True)
class TableQuery:
    """The query of one operational table, for COPY; its columns are those of the contract, in that order."""

    table: ContractTable
    statement: sql.Composed


def table_queries(
    settings: Settings, url: str, tables: Sequence[ContractTable], organization_id: str | None
) -> list[TableQuery]:
    """Return the queries of the tables, restricted to the rows of an organization and those of all, if one is given.

    dbt looks at the columns of the database for it, and changes nothing. Raises FailedError with dbt's message if a
    required column is missing, and like `dbt.run`.
    """
    selects = table_selects(settings, url, tables)
    return [copy_query(table, selects[table.name], _restriction(table, selects, organization_id)) for table in tables]


def table_selects(settings: Settings, url: str, tables: Sequence[ContractTable]) -> dict[str, str]:
    """Return {table: its select as the staging layer writes it}; raises like `table_queries`."""
    lines: list[str] = []
    template = "".join(_QUERY.format(mark=MARK, table=table.name) for table in tables)
    options = ["--no-populate-cache", "--no-write-json", "--log-format", "json"]  # the queries are read from its output
    command = ["compile", "--inline", template, *options]
    run = dbt.run(settings.of_postgres(), command, url=url, on_line=lines.append)
    events = [json.loads(line) for line in lines if line.startswith("{")]
    compiled = "".join(e["data"]["compiled"] for e in events if e["info"]["name"] == "CompiledNode")
    _, *parts = compiled.split(MARK)
    found = {name: select.strip() for name, _, select in (part.partition("\n") for part in parts)}
    if run.exit_code or found.keys() != {table.name for table in tables}:
        said = [e["info"]["msg"] for e in events if e["info"]["level"] == "error"]
        raise FailedError(f"dbt cannot write the queries of the operational tables: {' '.join(' '.join(said).split())}")
    return found


def copy_query(table: ContractTable, select: str, condition: sql.Composable) -> TableQuery:
    """Return the query of the rows of a select, one of `table_selects`, that meet a condition.

    The condition is empty or begins with `where`; it names columns of `source`.
    """
    values = [
        sql.SQL(_VALUES.get(column.data_type, "{name}")).format(name=sql.Identifier("source", name))
        for name, column in table.columns.items()
    ]
    statement = sql.SQL("copy (select {} from ({}) as source{}) to stdout (format csv, encoding 'utf8')")
    return TableQuery(table, statement.format(sql.SQL(", ").join(values), sql.SQL(select), condition))


def _restriction(table: ContractTable, selects: dict[str, str], organization_id: str | None) -> sql.Composable:
    """Return the condition that keeps the rows of one organization, with what belongs to all organizations."""
    if organization_id is None:
        return sql.SQL("")
    of_it = sql.SQL("= {}::uuid").format(organization_id)
    if table.name == "organizations":
        return sql.SQL(" where source.id {}").format(of_it)
    if "organization_id" in table.columns:
        also = " or source.organization_id is null" if table.columns["organization_id"].nullable else ""
        return sql.SQL(" where source.organization_id {}" + also).format(of_it)
    column, owner = OWNERS[table.name]
    return sql.SQL(" where source.{} in (select owner.id from ({}) as owner where owner.organization_id {})").format(
        sql.Identifier(column),
        sql.SQL(selects[owner]),
        of_it,
    )
