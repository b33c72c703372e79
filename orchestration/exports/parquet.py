"""Exports as Parquet: one row group for each ROWS rows, compressed with zstd, written without going back."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.exports.columns import OutColumn
from orchestration.exports.output import Output

ROWS = 20_000  # of a row group, which is in memory until it is full
TYPES = {
    "smallint": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "numeric": pa.float64(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


@contextmanager
def parquet(columns: Sequence[OutColumn], output: Output) -> Iterator[Callable[[Sequence[Any]], None]]:
    """Yield a function that adds a row; the types of the file follow those of the columns, other types are text."""
    schema = pa.schema([(column.name, _type(column.data_type)) for column in columns])
    file = _File(output)
    writer = pq.ParquetWriter(file, schema, compression="zstd")
    rows: list[list[Any]] = []

    def write() -> None:
        arrays = zip(*rows, strict=True) if rows else ([] for _ in schema)
        writer.write_table(pa.table([pa.array(list(a), f.type) for a, f in zip(arrays, schema, strict=True)], schema))
        rows.clear()

    def add(row: Sequence[Any]) -> None:
        rows.append([_plain(value, field.type) for value, field in zip(row, schema, strict=True)])
        if len(rows) == ROWS:
            write()

    try:
        yield add
        write()
        writer.close()
    finally:
        file.is_ended = True


class _File(io.RawIOBase):
    """A file that passes bytes on to an Output, and drops them when the export has ended."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output, self._size, self.is_ended = output, 0, False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if not self.is_ended:  # a writer that was not closed writes its footer when it is collected
            self._output.write(bytes(data))
            self._size += size
        return size


def _type(data_type: str) -> pa.DataType:
    if data_type.endswith("[]"):
        return pa.list_(_type(data_type.removesuffix("[]")))
    return TYPES.get(data_type.partition("(")[0], pa.string())


def _plain(value: Any, to: pa.DataType) -> Any:
    """Return a value of psycopg as pyarrow takes it for a type: ids as texts, numeric as double."""
    if isinstance(value, list):
        return [_plain(item, to.value_type) for item in value]
    if isinstance(value, UUID):
        return str(value)
    return float(value) if value is not None and pa.types.is_floating(to) else value
