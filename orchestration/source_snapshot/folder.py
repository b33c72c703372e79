"""The folder of a snapshot. Files are written to a folder within it, and moved when all of them are whole.

The description is moved last and removed first, so that a folder with one holds a whole snapshot, whenever a process
was killed. What such a process has left is removed by the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import BusyError, ConflictError, MisconfiguredError, NotFoundError
from orchestration.source_snapshot.description import FILE, REMEDY, Description, table_file

PARTIAL = ".partial"
CLOSED = 0o700


@contextmanager
def new_files(folder: Path, tables: Iterable[str], *, replace: bool) -> Iterator[Path]:
    """Yield a folder for the files of a snapshot, which is removed with them unless `publish` has moved them.

    The folder is created, but not its parents, closed to other users. Raises ConflictError if it holds a snapshot and
    `replace` is false, or anything else; BusyError if another process writes a snapshot there or reads the one that is
    there; MisconfiguredError if it is not a folder in which this user may write.
    """
    try:
        folder.mkdir(mode=CLOSED, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        _lock(descriptor, folder, fcntl.LOCK_EX)
        _check(folder, tables, replace=replace)
        partial = folder / PARTIAL
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=CLOSED)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Keep the snapshot in a folder from being replaced during a block.

    Raises NotFoundError if there is no such folder, BusyError if another process writes a snapshot there, and
    MisconfiguredError if the folder cannot be locked.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{folder} holds no whole snapshot: it is no folder. {REMEDY} {folder}") from error
    except OSError as error:
        raise MisconfiguredError(f"The snapshot in {folder} cannot be read ({error.strerror}).") from error
    try:
        _lock(descriptor, folder, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def publish(partial: Path, description: Description) -> None:
    """Move the files of a whole snapshot to their places, durably; raises OSError."""
    folder = partial.parent
    new = {*map(table_file, description.tables), FILE}
    _write(partial / FILE, description.text())
    for name in _described_files(folder) - new:  # before the description, so that a later snapshot still knows them
        (folder / name).unlink(missing_ok=True)
    (folder / FILE).unlink(missing_ok=True)
    _sync(folder)
    for name in (*map(table_file, description.tables), FILE):
        (partial / name).replace(folder / name)
    _sync(folder)


def private_file(path: Path) -> None:
    """Create an empty file that only its owner may read; raises OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _write(path: Path, text: str) -> None:
    private_file(path)
    with path.open("r+", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, kind: int) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        does = "writes a snapshot to" if kind == fcntl.LOCK_SH else "writes a snapshot to, or builds from,"
        raise BusyError(f"Another process {does} {folder}. Wait until it has finished.") from error
    except OSError as error:
        raise MisconfiguredError(
            f"The folder {folder} cannot be locked ({error.strerror}). Use a file system that supports flock."
        ) from error


def _described_files(folder: Path) -> set[str]:
    """Return the files that a description names, also one of another release; none if it cannot be read."""
    try:
        tables = json.loads((folder / FILE).read_text(encoding="utf-8"))["tables"]
        return {table_file(name) for name in tables if Path(name).name == name}
    except (OSError, ValueError, TypeError, KeyError):
        return set()


def _check(folder: Path, tables: Iterable[str], *, replace: bool) -> None:
    own = {FILE, *map(table_file, tables)} | _described_files(folder)
    found = {entry.name for entry in folder.iterdir()} - {PARTIAL}
    if others := sorted(found - own):
        raise ConflictError(
            f"{folder} holds {others[0]}, which is no part of a snapshot. Name a new folder, or an empty one."
        )
    if found and not replace:
        raise ConflictError(f"{folder} holds a snapshot. To replace it, add --replace.")


def _unusable(folder: Path, error: OSError) -> MisconfiguredError:
    return MisconfiguredError(
        f"The snapshot cannot be written to {folder} ({error.strerror}). Name a folder in which this user may write;"
        " the folder above it must exist."
    )
