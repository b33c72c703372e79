"""Plans of statements as the server ran them, and which of their scans read more than they need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

Plan = dict[str, Any]
_INDEXES = """
    select i.indexrelid::regclass::text, a.attname
    from pg_index as i
    inner join pg_attribute as a on i.indrelid = a.attrelid and i.indkey[0] = a.attnum
"""


def plan(connection: psycopg.Connection[Any], statement: sql.Composable, values: dict[str, Any] | None = None) -> Plan:
    """Run a statement and return its plan, with the rows and pages that each node read."""
    query = sql.SQL("explain (analyze, buffers, format json) ") + statement
    row = connection.execute(query, values, prepare=False).fetchone()
    assert row
    found: Plan = row[0][0]["Plan"]
    return found


def scans(node: Plan) -> Iterator[Plan]:
    """Yield the nodes that read a relation or an index."""
    if "Relation Name" in node or "Index Name" in node:
        yield node
    for child in node.get("Plans", []):
        yield from scans(child)


def leading_columns(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the first column of each index, by its name without schema and quotes."""
    rows = connection.execute(_INDEXES).fetchall()
    return {name.rpartition(".")[2].strip('"'): column for name, column in rows}


def excessive(node: Plan, rows: int, leading: dict[str, str]) -> list[str]:
    """Return a sentence for each scan of more than `rows` rows, and for each that reads a whole index.

    An index is read whole if the condition does not restrict its first column; one that yields the newest row of a log
    reads few rows, and is fine.
    """
    found = []
    for scan in scans(node):
        index, condition = scan.get("Index Name"), scan.get("Index Cond", "")
        filtered = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
        read = round((scan["Actual Rows"] + filtered) * scan["Actual Loops"])
        name = f"{scan['Node Type']} of {index or scan['Relation Name']}"
        if read > rows:
            found.append(f"{name} reads {read:,} rows")
        elif index and leading[index] not in condition and _pages(scan) > rows / 10:
            found.append(f"{name} reads the whole index")
    return found


def _pages(scan: Plan) -> int:
    pages: int = scan["Shared Hit Blocks"] + scan["Shared Read Blocks"]
    return pages
