"""A private folder for what dlt writes until it is loaded: rows of the operational tables, with personal data."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import BusyError, MisconfiguredError

PREFIX = "insights-replicate"
PRIVATE = 0o700
FILES = "pipelines"


@contextmanager
def scratch_folder(folder: Path | None, target: str) -> Iterator[Path]:
    """Yield an empty folder that no other user may read, and remove it at the end.

    It is in `folder`, by default one of this user and target in the folder for temporary files, which is created. What
    a killed process has left there is removed. Raises BusyError while another process uses it, and MisconfiguredError
    if it is not a folder of this user.
    """
    place = folder or Path(tempfile.gettempdir()) / f"{PREFIX}-{os.geteuid()}-{_digest(target)}"
    try:
        place.mkdir(mode=PRIVATE, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise MisconfiguredError(
            f"{place} cannot be used for temporary files ({error.strerror}). Name a folder of this user with"
            " --work-dir; the folder above it must exist."
        ) from error
    try:
        _check(place, os.fstat(descriptor))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"Another insights replicate uses {place}. Wait until it has finished.") from error
        files = place / FILES
        try:
            shutil.rmtree(files, ignore_errors=True)
            files.mkdir(mode=PRIVATE)
        except OSError as error:
            raise MisconfiguredError(f"{files} cannot be made ({error.strerror}). Empty {place}.") from error
        try:
            yield files
        finally:
            shutil.rmtree(files, ignore_errors=True)
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check(place: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & ~PRIVATE:
        raise MisconfiguredError(
            f"{place} is open to other users, or belongs to one. Run chmod 700 {place}, or name another folder with"
            " --work-dir."
        )
