"""Exports as .xlsx and .parquet, read back by libraries that did not write them and compared with the CSV."""

from __future__ import annotations

import csv
import json
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from openpyxl.utils.escape import unescape
from psycopg import sql
from support.exports.exporting import ExportSession
from support.warehouse import connect_as

from orchestration.errors import FailedError
from orchestration.exports import typed
from orchestration.exports.columns import OutColumn
from orchestration.exports.names import EXTENSIONS
from orchestration.exports.output import Output

pytest_plugins = ["support.exports.export_sessions"]
SPITEFUL = ["=1+1", "+1", "-1", "@x", "\t=1", "x\r\n@a", "http://a.b", "007", "{=1}", "_x0041_", "名 \U0001f600", " a "]
DAY = len("2026-01-01")
JANUARY = {"since": date(2023, 1, 1), "until": date(2023, 1, 2)}
EXPORTS = ("tasks", "cases", "monthly_task_totals", "patterns_weekly", "trends_monthly")


def sheet(path: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a worksheet as openpyxl reads them."""
    book = openpyxl.load_workbook(path, read_only=True)
    header, *rows = book["export"].iter_rows(values_only=True)
    for row in rows:
        yield dict(zip(header, (unescape(cell) if isinstance(cell, str) else cell for cell in row), strict=True))


def table(path: str) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file as DuckDB reads them."""
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("select * from read_parquet(?)", [path])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_csv(value: Any) -> str:
    """Return a value as PostgreSQL writes it in CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat(" ", "seconds").replace("+00:00", "+00")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return "{" + ",".join(map(in_csv, value)) + "}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def seconds(row: dict[str, str]) -> dict[str, str]:
    """Return a row of CSV with times to the second, numbers without final zeros, and dates of worksheets as dates."""

    def plain(text: str) -> str:
        try:
            return f"{float(text):.10g}" if "." in text and ":" not in text else text
        except ValueError:
            return text

    def cut(text: str) -> str:
        return text[:19] + "+00" if text.endswith("+00") and "." in text else text

    return {name: plain(cut(text)) for name, text in row.items()}


@pytest.mark.services
@pytest.mark.parametrize("name", EXPORTS)
def test_typed_files_have_the_rows_of_the_csv(session: ExportSession, name: str) -> None:
    asked = {"since": date(2025, 1, 1), "until": date(2026, 1, 1)}
    as_csv = session.export(name, file_format="csv", output=f"{name}_csv", **asked)
    with Path(as_csv.location).open(newline="", encoding="utf-8") as file:
        expected = sorted(map(repr, map(seconds, csv.DictReader(file))))
    assert expected
    for file_format, read in (("xlsx", sheet), ("parquet", table)):
        done = session.export(name, file_format=file_format, output=f"{name}_{file_format}", **asked)
        assert (done.rows, done.masked_columns) == (as_csv.rows, as_csv.masked_columns)
        manifest = json.loads(Path(f"{done.location}.manifest.json").read_text("utf-8"))
        days = {column["name"] for column in manifest["columns"] if column["type"] == "date"}
        rows = [
            {column: in_csv(value)[: DAY if column in days else None] for column, value in row.items()}
            for row in read(done.location)
        ]
        assert sorted(map(repr, map(seconds, rows))) == expected, file_format


@pytest.mark.services
def test_types_are_those_of_the_columns_and_texts_stay_texts(own_session: ExportSession) -> None:
    session = own_session
    ids = session.warehouse.rows(
        "select task_id from insights.fact_tasks where organization_id = %s and visibility = 'INTERNAL'"
        " and created_date_key < '2025-01-01' order by task_id limit %s",
        session.organization_id(),
        len(SPITEFUL),
    )
    with connect_as(session.warehouse.admin_url) as connection:
        for (task_id,), text in zip(ids, SPITEFUL, strict=True):
            connection.execute("update insights.dim_tasks set label = %s where task_id = %s", [text, task_id])
            moved = (
                "update insights.fact_tasks set created_date_key = '2023-01-01', comment_count = -7 where task_id = %s"
            )
            connection.execute(moved, [task_id])
    for file_format, read in (("xlsx", sheet), ("parquet", table)):
        done = session.export("tasks", file_format=file_format, output=file_format, **JANUARY)
        rows = list(read(done.location))
        assert sorted(row["label"] for row in rows) == sorted(SPITEFUL), file_format
        first = rows[0]
        assert {row["comment_count"] for row in rows} == {-7}
        assert isinstance(first["task_id"], str)
        assert isinstance(first["created_at"], datetime)
    workbook = openpyxl.load_workbook(session.export("tasks", file_format="xlsx", output="again", **JANUARY).location)
    kinds = {cell.data_type for line in workbook["export"].iter_rows() for cell in line}
    assert "f" not in kinds, "no cell is a formula"


@pytest.mark.services
def test_more_rows_than_a_worksheet_holds_are_refused_before_anything_is_written(
    session: ExportSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(typed.MOST_ROWS, "xlsx", 3)
    said = session.refusal("tasks", file_format="xlsx")
    assert "and a worksheet of .xlsx holds 3 below its header. Nothing was written." in said


@pytest.mark.services
@pytest.mark.parametrize(("file_format", "library"), [("xlsx", "xlsxwriter"), ("parquet", "pyarrow")])
def test_a_missing_library_is_named_with_its_group(
    session: ExportSession, monkeypatch: pytest.MonkeyPatch, file_format: str, library: str
) -> None:
    for module in ("orchestration.exports.spreadsheet", "orchestration.exports.parquet"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    said = session.refusal("tasks", file_format=file_format)
    assert f"Exports as .{file_format} need {library}" in said
    assert "requirements/formats.txt" in said


def test_a_worksheet_has_1048576_rows_with_its_header() -> None:
    assert typed.MOST_ROWS["xlsx"] == 2**20 - 1
    assert set(typed.TYPED) < set(EXTENSIONS)


class Taken:
    """A sink that keeps what it gets."""

    location = ""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def commit(self, manifest: bytes) -> str:
        return self.location

    def abort(self) -> None: ...


def written(file_format: str, rows: int, text: str = "t" * 200) -> bytes:
    """Return a file of this many rows (0, text), (1, text) and so on."""
    columns = [OutColumn("n", "bigint", sql.SQL("")), OutColumn("t", "text", sql.SQL(""))]
    sink = Taken()
    output = Output(sink, compress=False)
    with typed.typed_format(file_format)(columns, output) as add:
        for number in range(rows):
            add((number, f"{number}{text}"))
    output.finish()
    return bytes(sink.data)


def test_a_worksheet_is_written_in_bounded_memory() -> None:
    written("xlsx", 10)  # imports
    peaks = []
    for rows in (5_000, 20_000):
        tracemalloc.start()
        size = len(written("xlsx", rows))
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * size)
        tracemalloc.stop()
    # Without the file itself, four times the rows take no more than half as much again.
    assert peaks[1] < 1.5 * max(peaks[0], 2_000_000)


def test_a_parquet_file_has_row_groups(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(written("parquet", 45_000, "x"))
    with duckdb.connect(":memory:") as connection:
        groups = connection.execute("select num_row_groups from parquet_file_metadata(?)", [str(file)]).fetchone()
    assert groups == (3,)
    assert [row["n"] for row in table(str(file))] == list(range(45_000))


def test_numbers_that_a_spreadsheet_would_round_are_texts(tmp_path: Path) -> None:
    columns = [OutColumn("n", "bigint", sql.SQL(""))]
    sink = Taken()
    output = Output(sink, compress=False)
    with typed.typed_format("xlsx")(columns, output) as add:
        for number in (2**53, 2**53 + 1, -(2**53) - 1, 7):
            add((number,))
    output.finish()
    file = tmp_path / "x.xlsx"
    file.write_bytes(sink.data)
    assert [row["n"] for row in sheet(str(file))] == [2**53, "9007199254740993", "-9007199254740993", 7]


def test_a_text_that_no_cell_holds_is_an_error() -> None:
    with pytest.raises(FailedError, match=r"A text of t has 32,768 characters, and a cell of \.xlsx holds 32,767"):
        written("xlsx", 1, "x" * 32_767)


@pytest.mark.parametrize("file_format", typed.TYPED)
def test_an_export_without_rows_has_its_columns(file_format: str, tmp_path: Path) -> None:
    file = tmp_path / f"empty.{file_format}"
    file.write_bytes(written(file_format, 0))
    if file_format == "xlsx":
        assert list(openpyxl.load_workbook(file)["export"].iter_rows(values_only=True)) == [("n", "t")]
    else:
        assert table(str(file)) == []
