"""Reads the rows of a COPY, and writes them to a Parquet file, batch by batch: memory does not grow with a table."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from orchestration.source_snapshot.queries import TableQuery
from orchestration.warehouse.contract import ContractTable

# Bytes of text that are parsed at a time; a row must fit.
BATCH_BYTES = 16 * 2**20
# Rows of a row group, which is in memory until it is written.
GROUP_ROWS = 100_000
# The types of the columns in the file: those that DuckDB and pandas read as they are. Ids and JSON are text.
TYPES = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "text[]": pa.list_(pa.string()),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
# As they are in the text of the COPY, where those differ.
_COPIED = {"text[]": pa.string(), "timestamp with time zone": pa.int64()}


def write_table(connection: psycopg.Connection[Any], query: TableQuery, file: Path, step: Callable[[int], None]) -> int:
    """Write the rows of a query to a new file, and return their number; `step` gets the rows written so far.

    Raises like `read_table`, and OSError of the file.
    """
    written = 0
    with pq.ParquetWriter(file, table_schema(query.table, TYPES), compression="zstd") as writer:
        for rows in read_table(connection, query, TYPES):
            writer.write_table(rows, row_group_size=GROUP_ROWS)
            written += rows.num_rows
            step(written)
    return written


def unreadable(error: pa.ArrowInvalid, table: str | None = None) -> str:
    """Return a sentence about a row that pyarrow has refused, without the values that its message may have."""
    of = f"table {table}" if table else "the operational tables"
    if "straddling" in str(error):
        return f"A row of {of} is too long: it may have at most {BATCH_BYTES // 2**20} MB of text."
    return f"A row of {of} has a value that cannot be converted ({type(error).__name__})."


def read_table(
    connection: psycopg.Connection[Any], query: TableQuery, types: Mapping[str, pa.DataType]
) -> Iterator[pa.Table]:
    """Yield the rows of a query batch by batch, as `table_schema` says; none for a query without rows.

    The connection can do nothing else meanwhile. Raises psycopg.Error of the query, and pyarrow.ArrowInvalid for a row
    that is longer than BATCH_BYTES.
    """
    schema = table_schema(query.table, types)
    with connection.cursor() as cursor, cursor.copy(query.statement) as copy, _Text(copy) as text:
        for batch in _batches(text, query.table):
            columns = [_converted(c, f.type) for c, f in zip(batch.columns, schema, strict=True)]
            yield pa.Table.from_arrays(columns, schema=schema)


def table_schema(table: ContractTable, types: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return the columns of a table; `types` are by type of the contract, and all others are text.

    An array is a list, or the text of a JSON array.
    """
    return pa.schema([(name, types.get(column.data_type, pa.string())) for name, column in table.columns.items()])


def _batches(text: io.RawIOBase, table: ContractTable) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a COPY; an empty table has no text, which pyarrow would refuse."""
    buffered = io.BufferedReader(text, BATCH_BYTES)
    if not buffered.peek(1):
        return
    types = {n: _COPIED.get(c.data_type) or TYPES.get(c.data_type, pa.string()) for n, c in table.columns.items()}
    yield from pyarrow.csv.open_csv(
        buffered,
        read_options=pyarrow.csv.ReadOptions(column_names=list(table.columns), block_size=BATCH_BYTES),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            quoted_strings_can_be_null=False,
            strings_can_be_null=True,
            true_values=["t"],
            false_values=["f"],
        ),
    )


def _converted(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_list(wanted):
        return pa.array([None if text is None else json.loads(text) for text in values.to_pylist()], wanted)
    return pc.cast(values, wanted) if values.type != wanted else values


class _Text(io.RawIOBase):
    """The text of a COPY as a file that is read once."""

    def __init__(self, copy: psycopg.Copy) -> None:
        super().__init__()
        self._copy, self._rest = copy, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, because COPY gives one row at a time."""
        filled = 0
        while filled < len(buffer):
            if not self._rest and not (block := self._copy.read()):
                break
            self._rest = self._rest or memoryview(block)
            size = min(len(buffer) - filled, len(self._rest))
            buffer[filled : filled + size], self._rest = self._rest[:size], self._rest[size:]
            filled += size
        return filled
