"""Test which files are read as incident logs, and which are refused with one error."""

import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.incidents.incident_database import Database, counts, load, operational_database, task
from support.incidents.incident_files import COLUMNS, FIRST, history, report_rows, write_csv, write_zip

from workshop.incidents.errors import IncidentFileError
from workshop.incidents.merge import TableCount
from workshop.incidents.source import open_log
from workshop.incidents.staging import copy_log

GOOD = history({"incident_state": "Active"}, {"incident_state": "Closed", "closed_at": "3/3/2016 00:10"})


@pytest.fixture
def orgo(database: str) -> Iterator[Database]:
    with operational_database(database) as connection:
        yield connection


def test_a_zip_with_reordered_columns_gives_the_same_result(orgo: Database, tmp_path: Path) -> None:
    reordered = write_csv(tmp_path / "reordered.csv", GOOD, [*reversed(COLUMNS), "u_extra"])
    assert load(orgo, write_csv(tmp_path / "log.csv", GOOD)).ignored_columns == ()
    result = load(orgo, write_zip(tmp_path / "log.zip", reordered))
    assert result.ignored_columns == ("u_extra",)
    assert result.tables["task_events"] == TableCount(0, 0, 3)
    assert result.tables["tasks"] == TableCount(0, 0, 1)


def test_byte_order_mark_windows_line_ends_and_blank_lines_are_accepted(orgo: Database, tmp_path: Path) -> None:
    text = write_csv(tmp_path / "log.csv", GOOD).read_text(encoding="utf-8").replace("\n", "\r\n")
    windows = tmp_path / "windows.csv"
    windows.write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n\r\n")
    result = load(orgo, windows)
    assert (result.rows, result.tables["task_events"]) == (3, TableCount(3, 0, 0))
    assert report_rows(tmp_path / "rejected.csv") == []


def test_values_are_trimmed_and_quotes_and_unicode_preserved(orgo: Database, tmp_path: Path) -> None:
    load(orgo, write_csv(tmp_path / "log.csv", [FIRST | {"location": ' Zürich, "Süd"\n2 ', "number": " INC0000001 "}]))
    assert task(orgo, "metadata ->> 'location'") == ('Zürich, "Süd"\n2',)


def latin_1(folder: Path) -> Path:
    log = write_csv(folder / "log.csv", history({"location": "Zürich"}))
    log.write_bytes(log.read_text(encoding="utf-8").encode("latin-1"))
    return log


def truncated_zip(folder: Path) -> Path:
    archive = write_zip(folder / "log.zip", write_csv(folder / "log.csv", GOOD))
    archive.write_bytes(archive.read_bytes()[:-60])
    return archive


def damaged_zip(folder: Path) -> Path:
    log = write_csv(folder / "log.csv", GOOD)
    archive = folder / "log.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        out.write(log, log.name)
    archive.write_bytes(archive.read_bytes().replace(b"Location 1", b"Location 9", 1))
    return archive


def written(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "log.csv").write_bytes(content)
        return folder / "log.csv"

    return write


def two_logs(folder: Path) -> Path:
    return write_zip(folder / "log.zip", write_csv(folder / "a.csv", GOOD), write_csv(folder / "b.CSV", GOOD))


def zip_without_csv(folder: Path) -> Path:
    return write_zip(folder / "log.zip", write_csv(folder / "log.txt", GOOD))


def open_quote(folder: Path) -> Path:
    log = write_csv(folder / "log.csv", GOOD)
    log.write_text(log.read_text(encoding="utf-8").replace("Active", '"Active', 1), encoding="utf-8")
    return log


HEADER = ",".join(COLUMNS).encode()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (written(b""), "log.csv is empty"),
        (written(b"\n\n"), "log.csv is empty"),
        (written(HEADER + b"\n"), "log.csv has a header and no rows"),
        (written(HEADER.replace(b",opened_at", b"").replace(b",closed_at", b"") + b"\n"),
         "line 1: the header lacks opened_at, closed_at; it must contain the 36 columns"),
        (written(HEADER.replace(b",", b";") + b"\n"), "the header lacks number, incident_state, active"),
        (written(HEADER + b",number\n"), "line 1: the header repeats number"),
        (written(b"\x89PNG\r\n\x1a\n"), "line 1: byte 1 of the line, 0x89, is not valid UTF-8"),
        (written(b"number\0"), "line 1: NUL character in the row, so this is not a csv file"),
        (written(HEADER + b"\n" + b"x" * 2_000_000), "line 2: longer than 1048576 bytes"),
        (latin_1, "line 3: byte 109 of the line, 0xfc, is not valid UTF-8; save the file as UTF-8 text"),
        (truncated_zip, "log.zip is a truncated zip file"),
        (damaged_zip, "log.zip/log.csv is damaged at or after line 1 (Bad CRC-32"),
        (two_logs, "log.zip contains 2 csv files (a.csv, b.CSV); unpack it and import one of them"),
        (zip_without_csv, "log.zip contains no csv file (but log.txt)"),
        (open_quote, "line 3: a quoted value that begins in this row does not end where it should"),
        (lambda folder: folder / "absent.csv", "absent.csv cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_an_unreadable_file_is_refused(
    orgo: Database, tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(IncidentFileError) as error:
        load(orgo, make(tmp_path), tmp_path / "rejected.csv")
    assert message in str(error.value)
    assert set(counts(orgo).values()) == {0}
    assert list(tmp_path.glob("rejected*")) == []


@pytest.mark.parametrize("fields", [COLUMNS, COLUMNS[:3]], ids=["good rows", "broken rows"])
def test_memory_does_not_grow_with_the_file(orgo: Database, tmp_path: Path, fields: list[str]) -> None:
    """Compare the peak memory of reading 4,000 rows, which are two chunks, and 40,000 rows."""

    def peak(rows: int) -> int:
        log = write_csv(tmp_path / "log.csv", [FIRST])
        with log.open("a", encoding="utf-8") as out:
            out.writelines(",".join(FIRST[column] for column in fields) + "\n" for _ in range(rows))
        with open_log(log) as source, orgo.transaction(force_rollback=True), orgo.cursor() as cursor:
            tracemalloc.start()
            copy_log(cursor, source, lambda share: None)
            highest = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return highest

    assert peak(40_000) < 1.2 * peak(4_000)
