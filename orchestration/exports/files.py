"""Exports to a file in the export folder, with a manifest next to it.

The data is published first, then the manifest, so that a manifest proves that the data is complete. A crash in between
leaves data without a manifest, which the next export to the folder removes.
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
    """A sink for a file that has a temporary name until it is complete; it never replaces a file."""

    def __init__(self, directory: Path, name: str) -> None:
        """Start a file in the export folder; `name` must come from names.export_name.

        Removes the remains of killed runs. Raises ConflictError if the name is taken, MisconfiguredError for an unsafe
        folder, and FailedError if the folder cannot be used.
        """
        self._directory = directory
        self._open = ExitStack()  # closes the open descriptors of this sink
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
        """Append to the file; raises FailedError if the disk is full or fails."""
        with self._errors():
            self._data.write(data)

    def commit(self, manifest: bytes) -> str:
        """Publish data and manifest under their names and return the path; on an InsightsError both are removed."""
        try:
            with self._errors():
                sidecar = self._create(self._data.name + MANIFEST, self._data.token)
                sidecar.write(manifest)
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
        """Remove all files of this sink; does nothing after `commit`. The next export removes the rest if it fails."""
        with suppress(OSError):
            for temporary in reversed(self._temporaries):
                temporary.unpublish()
        self._close()

    def _close(self) -> None:
        """Remove the temporary names, that of the data first (see Folder.remove_dead), then release the lock."""
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
        return ConflictError(
            f"{self._directory / name} exists, and an export never replaces a file: choose another name."
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = _HINTS.get(error.errno or 0, "")
            reason = f"{error.strerror or error}{hint and f'; {hint}'}"
            raise FailedError(f"Exporting to {self._directory} failed: {reason}.") from error


_LINKS = "exports need a file system with hard links"
_ROOM = "the partial export was removed; free some space"
_HINTS = {
    errno.ENOENT: "the parent folder must exist",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EPERM: _LINKS,
    errno.EOPNOTSUPP: _LINKS,
}
