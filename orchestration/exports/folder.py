"""The export folder and the temporary files in it.

All operations are relative to a descriptor of the folder, with plain names and without following links, so that no
planted link or replaced folder redirects them. The name of a temporary file contains the final name and a token of its
run. The run holds a lock on the file (flock, which the kernel releases when a process dies), so that an unlocked file
belongs to a dead run.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from orchestration.errors import MisconfiguredError
from orchestration.exports.names import MANIFEST

_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<token>[0-9a-f]{32})\.part", re.S)


class Folder:
    """The open export folder."""

    def __init__(self, path: Path) -> None:
        """Open the folder, and create it, but not its parents, if it does not exist.

        Raises MisconfiguredError if it is a link or accessible to other users, and OSError if it cannot be opened.
        """
        self.path = path
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        if path.is_symlink():
            raise MisconfiguredError(f"The export folder {path} is a link: set the folder that it points to.")
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        status = os.fstat(self._descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            self.close()
            raise MisconfiguredError(
                f"The export folder {path} must belong to the user that runs the export and be closed to all others:"
                " chmod 700."
            )

    def close(self) -> None:
        """Close the folder."""
        os.close(self._descriptor)

    def has(self, name: str) -> bool:
        """Return whether an entry has this name, even a dangling link."""
        return self._identity(name) is not None

    def create(self, name: str, token: str | None = None) -> Temporary:
        """Create an empty, locked temporary file for a name, mode 0600, with a new token or the given one."""
        while True:
            its_token = token or uuid4().hex
            temporary = f".{name}.{its_token}.part"
            try:
                descriptor = os.open(
                    temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=self._descriptor
                )
            except FileExistsError:
                if token:
                    raise
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:  # else another run has removed it, as a dead run's, before it was locked
                return Temporary(self, name, its_token, descriptor)
            os.close(descriptor)

    def publish(self, temporary: Temporary) -> None:
        """Link a temporary file to its final name, durably; raises FileExistsError if the name is taken."""
        os.link(
            temporary.path,
            temporary.name,
            src_dir_fd=self._descriptor,
            dst_dir_fd=self._descriptor,
            follow_symlinks=False,
        )
        self.sync()

    def sync(self) -> None:
        """Make the names of the files durable."""
        os.fsync(self._descriptor)

    def remove(self, name: str) -> None:
        """Remove a name if it exists."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def are_one(self, first: str, second: str) -> bool:
        """Return whether two names exist and are the same file."""
        identity = self._identity(first)
        return identity is not None and identity == self._identity(second)

    def remove_dead(self) -> None:
        """Remove temporary files of killed runs, and data that such a run has published without its manifest.

        The temporary file of the data proves what its run has published, so a live run removes it before the others.
        """
        with os.scandir(self._descriptor) as entries:
            names = [entry.name for entry in entries]
        for found in filter(None, map(_TEMPORARY.fullmatch, names)):
            with suppress(OSError):  # its run is alive, or it is a foreign link or folder
                self._remove_if_dead(found["name"].removesuffix(MANIFEST), found["token"])

    def _remove_if_dead(self, name: str, token: str) -> None:
        """Remove the files of a run unless it holds the lock on its data, which it keeps until after the removal."""
        data, manifest = f".{name}.{token}.part", f".{name}{MANIFEST}.{token}.part"
        try:
            descriptor = os.open(data, os.O_RDWR | os.O_NONBLOCK | _OPEN, dir_fd=self._descriptor)
        except FileNotFoundError:
            self.remove(manifest)
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and self._identity(data) == (status.st_dev, status.st_ino):
                if not self.are_one(manifest, name + MANIFEST):
                    self.unpublish(data, name)
                self.remove(data)
                self.remove(manifest)
        finally:
            os.close(descriptor)

    def unpublish(self, temporary: str, name: str) -> None:
        """Remove the final name if it is that of the temporary file."""
        if self.are_one(temporary, name):
            self.remove(name)

    def _identity(self, name: str) -> tuple[int, int] | None:
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


class Temporary:
    """An open temporary file and its final name."""

    def __init__(self, folder: Folder, name: str, token: str, descriptor: int) -> None:
        """Wrap a file that the folder has created."""
        self.name = name
        self.token = token
        self.path = f".{name}.{token}.part"
        self._folder = folder
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Append to the file."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """Make the content durable."""
        os.fsync(self._descriptor)

    def remove(self) -> None:
        """Remove the temporary name."""
        self._folder.remove(self.path)

    def unpublish(self) -> None:
        """Remove the final name if it is this file's."""
        self._folder.unpublish(self.path, self.name)

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._descriptor)
