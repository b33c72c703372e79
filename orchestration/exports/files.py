"""An export into a file of the one folder, with its manifest beside it.

The data gets its name first, then the manifest: a manifest means that the data is whole. A crash between the two leaves
data without a manifest, which the next export into the folder removes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from orchestration.errors import ConflictError, FailedError
from orchestration.exports.folder import Folder, Temporary
from orchestration.exports.names import MANIFEST


class FileSink:
    """A file that is written under a temporary name, and is given its own when whole; it never replaces one."""

    def __init__(self, directory: Path, name: str) -> None:
        """Begin a file `name`, one that names.export_name let pass, in the folder for exports.

        Removes what killed runs left there. Raises InsightsError when the name is taken or the folder of no use.
        """
        self._directory = directory
        self._open = ExitStack()  # closes what this sink has open
        self._temporaries: list[Temporary] = []
        with self._errors():
            self._folder = Folder(directory)
            self._open.callback(self._folder.close)
            try:
                self._folder.remove_dead()
                for taken in (name, name + MANIFEST):
                    if self._folder.has(taken):
                        raise self._exists(taken)
                self._data = self._create(name)
            except BaseException:
                self.abort()
                raise

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(self._directory / self._data.name)

    def write(self, data: bytes) -> None:
        """Append to the file; raises InsightsError when the disk is full or fails."""
        with self._errors():
            self._data.write(data)

    def commit(self, manifest: bytes) -> str:
        """Give data and manifest their names, and return the path; raises InsightsError, and then both are gone."""
        try:
            with self._errors():
                beside = self._create(self._data.name + MANIFEST, self._data.token)
                beside.write(manifest)
                for temporary in self._temporaries:
                    temporary.sync()
                for temporary in self._temporaries:
                    self._publish(temporary)
        except BaseException:
            self.abort()
            raise
        self._close()
        return self.location

    def abort(self) -> None:
        """Remove what this sink made; nothing after a `commit`. What a failing disk keeps, the next export removes."""
        with suppress(OSError):
            for temporary in reversed(self._temporaries):
                temporary.unpublish()
        self._close()

    def _close(self) -> None:
        """Give up the temporary names, that of the data first (Folder.remove_dead says why), then its lock."""
        with suppress(OSError):
            for temporary in self._temporaries:
                temporary.remove()
        self._temporaries.clear()
        self._open.close()

    def _create(self, name: str, token: str | None = None) -> Temporary:
        temporary = self._folder.create(name, token)
        self._temporaries.append(temporary)
        self._open.callback(temporary.close)
        return temporary

    def _publish(self, temporary: Temporary) -> None:
        try:
            self._folder.publish(temporary)
        except FileExistsError:
            raise self._exists(temporary.name) from None

    def _exists(self, name: str) -> ConflictError:
        return ConflictError(f"{self._directory / name} exists, and an export replaces nothing: take another name.")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = _HINTS.get(error.errno or 0, "")
            reason = f"{error.strerror or error}{hint and f'; {hint}'}"
            raise FailedError(f"Exporting into {self._directory} failed: {reason}.") from error


_LINKS = "exports need a file system with hard links"
_HINTS = {
    errno.ENOENT: "the folder above it must exist",
    errno.ENOSPC: "nothing is left of the export; make room",
    errno.EDQUOT: "nothing is left of the export; make room",
    errno.EPERM: _LINKS,
    errno.EOPNOTSUPP: _LINKS,
}
