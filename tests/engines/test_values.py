"""Values that `insights publish` copies: each type arrives as it is, and has one checksum in both engines."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.warehouse import Warehouse

from orchestration.config.files import load_settings
from orchestration.publishing.definitions import Definition
from orchestration.publishing.source import Count, Source
from orchestration.publishing.values import recounted, unsupported
from orchestration.warehouse.connection import connect
from orchestration.warehouse.names import Names

pytestmark = pytest.mark.services

# Literals that both engines read.
VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "0"],
    "integer": ["2147483647", "-1"],
    "bigint": ["9223372036854775807", "-9223372036854775808"],
    "numeric(5,4)": ["0.5", "0", "-1.2345", "9.0000"],
    "numeric(14,2)": ["123456789012.30", "-0.01"],
    "text": ["''", "'NULL'", "'a,\"b\"'", "'\\.'", "'\\N'", "e'line\\nline'", "' é 日本 '", "'{x}'"],
    "uuid": ["'00000000-0000-0000-0000-00000000000A'"],
    "date": ["'0001-01-01'", "'2026-02-28'", "'infinity'", "'-infinity'"],
    "timestamp with time zone": ["'1969-12-31 23:59:59.999999+00'", "'2026-03-29 02:30:00+02'", "'infinity'"],
    "text[]": ["array[]::text[]", "array['']", "array['', '']", "array[null, 'NULL', 'a,\"b\"\\c', ' ', '{}']"],
    "uuid[]": ["array[]::uuid[]", "array['00000000-0000-0000-0000-00000000000a']::uuid[]"],
}


def _definition(kind: str) -> Definition:
    return Definition("given", "main", "given", (("value", kind),), "", (), "", (), "", "", "", None, (), (), "")


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_a_type_arrive_and_have_one_checksum(kind: str, warehouse: Warehouse) -> None:
    definition, checksums = _definition(kind), []
    assert unsupported(definition.columns) == []
    with duckdb.connect() as file, connect(warehouse.admin_url) as connection:
        source = Source(file, Names.of(load_settings()), Path("memory"))
        connection.execute(f"create temporary table given (value {kind}); create temporary table wanted (value {kind})")
        for value in (*VALUES[kind], "null"):
            file.execute(f"create or replace table given as select cast({value} as {kind}) as value")
            connection.execute("truncate given; truncate wanted")
            connection.execute(f"insert into wanted values (cast({value} as {kind}))")  # noqa: S608
            with connection.cursor().copy("copy given (value) from stdin (format csv, encoding 'utf8')") as copy:
                for portion, _ in source.rows(definition):
                    copy.write(portion)
            count = source.count(definition)
            for table in ("given", "wanted"):
                found = connection.execute(recounted(definition.columns, table)).fetchone()
                assert found is not None
                assert Count(*found) == count, (kind, value, table)
            checksums.append(count.checksum)
    assert len(set(checksums)) == len(checksums)


@pytest.mark.parametrize(
    "kind",
    ["double precision", "float8", "real", "double precision[]", "jsonb", "json", "bytea", "numeric", "interval"],
)
def test_a_type_that_the_engines_write_differently_is_named(kind: str) -> None:
    assert unsupported([("id", "uuid"), ("score", kind)]) == [("score", kind)]
