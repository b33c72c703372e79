"""Read the log record by record from a csv file or from a zip with one csv file."""

import csv
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import IO, NamedTuple, cast

from workshop.incidents.columns import COLUMNS
from workshop.incidents.errors import IncidentFileError

LONGEST_LINE = 1 << 20  # bytes; limits the memory for a file without line breaks


class Record(NamedTuple):
    """One data row: the `line` of the file where it begins (1 is the header) and its `fields`.

    `defect` is the reason why the row cannot be split into fields, or empty.
    """

    line: int
    fields: list[str]
    defect: str


class IncidentLog:
    """An open incident log.

    `name` is the file name, for a zip followed by a slash and the member's name; `header` has the column names in the
    order of the file; `size` and `position` are in uncompressed bytes.
    """

    def __init__(self, stream: IO[bytes], name: str, size: int) -> None:
        """Read the header. Raises IncidentFileError when it lacks or repeats a column of an incident log."""
        self.name = name
        self.size = size
        self.position = 0
        self._stream = stream
        self._line_with_nul = 0
        self._reader = csv.reader(self._decoded_lines(), strict=True)
        self.header = self._read_header()

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns of the file that are not part of an incident log."""
        return tuple(column for column in self.header if column not in COLUMNS)

    def records(self) -> Iterator[Record]:
        """Yield every data row and skip blank lines. Raises IncidentFileError when the file becomes unreadable."""
        while True:
            line = self._reader.line_num + 1
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(line, [], self._defect(line, error))
                continue
            if self._line_with_nul >= line:
                yield Record(line, fields, "NUL character in the row")
            elif fields:
                yield Record(line, fields, "")

    def _defect(self, line: int, error: csv.Error) -> str:
        """Return the defect of a row on one line; raise IncidentFileError when an open quote consumed more lines."""
        if self._reader.line_num > line:
            raise IncidentFileError(
                f"{self.name}, line {line}: a quoted value that begins in this row does not end where it should "
                f"({error}); close the quote, or double the quotes inside the value"
            ) from error
        return f"broken quoting: {error}"

    def _decoded_lines(self) -> Iterator[str]:
        line = 0
        while raw := self._read_line(line + 1):
            line += 1
            self.position += len(raw)
            if b"\0" in raw:
                self._line_with_nul = line
            try:
                yield raw.decode("utf-8-sig" if line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                place = f"{self.name}, line {line}: byte {error.start + 1} of the line, {raw[error.start]:#04x},"
                raise IncidentFileError(f"{place} is not valid UTF-8; save the file as UTF-8 text") from error

    def _read_line(self, line: int) -> bytes:
        try:
            raw = self._stream.readline(LONGEST_LINE + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise IncidentFileError(
                f"{self.name} is damaged at or after line {line} ({error}); download it again"
            ) from error
        if len(raw) > LONGEST_LINE:
            raise IncidentFileError(
                f"{self.name}, line {line}: longer than {LONGEST_LINE} bytes, so this is not a csv file"
            )
        return raw

    def _read_header(self) -> tuple[str, ...]:
        first = next(self.records(), None)
        if first is None:
            raise IncidentFileError(f"{self.name} is empty; an incident log must have a header line")
        if first.defect:
            raise IncidentFileError(f"{self.name}, line {first.line}: {first.defect}, so this is not a csv file")
        header = tuple(name.strip().lower() for name in first.fields)
        repeated = [name for name, times in Counter(header).items() if times > 1 and name in COLUMNS]
        if repeated:
            raise IncidentFileError(f"{self.name}, line {first.line}: the header repeats {', '.join(repeated)}")
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise IncidentFileError(
                f"{self.name}, line {first.line}: the header lacks {', '.join(missing)}; it must contain the "
                f"{len(COLUMNS)} columns of an incident log, separated by commas"
            )
        return header


@contextmanager
def open_log(file: Path) -> Iterator[IncidentLog]:
    """Open `file`, a csv file or a zip with exactly one csv file.

    Raises IncidentFileError when it is neither, is empty, or lacks a column.
    """
    with ExitStack() as opened:
        try:
            log = _open_zip(file, opened) if zipfile.is_zipfile(file) else _open_csv(file, opened)
        except OSError as error:
            raise IncidentFileError(f"{file} cannot be read: {error.strerror}") from error
        yield log


def _open_csv(file: Path, opened: ExitStack) -> IncidentLog:
    stream = opened.enter_context(file.open("rb"))
    if stream.peek(4).startswith(b"PK\x03\x04"):
        raise IncidentFileError(f"{file.name} is a truncated zip file; download it again")
    return IncidentLog(stream, file.name, file.stat().st_size)


def _open_zip(file: Path, opened: ExitStack) -> IncidentLog:
    try:
        archive = opened.enter_context(zipfile.ZipFile(file))
        member = _find_csv(file.name, archive)
        stream = cast(IO[bytes], BufferedReader(cast(RawIOBase, opened.enter_context(archive.open(member)))))
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise IncidentFileError(f"{file.name} cannot be unpacked: {error}") from error
    return IncidentLog(stream, f"{file.name}/{member.filename}", member.file_size)


def _find_csv(name: str, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [
        info
        for info in archive.infolist()
        if info.filename.lower().endswith(".csv") and not info.filename.startswith("__MACOSX/")
    ]
    if len(members) > 1:
        found = ", ".join(info.filename for info in members)
        raise IncidentFileError(f"{name} contains {len(members)} csv files ({found}); unpack it and import one of them")
    if not members:
        found = ", ".join(archive.namelist()[:5]) or "nothing"
        raise IncidentFileError(f"{name} contains no csv file (but {found}); it must contain one")
    return members[0]
