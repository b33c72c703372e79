"""The one folder for exported files, and the temporary files in it.

Everything is done relative to a descriptor of the folder, with plain names and without following links: whatever is
planted in it, or put in its place, leads nowhere else. A temporary file carries the name that it is meant for and a
token of its run, which holds a lock on it: what nobody holds is a dead run's.
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
    """The folder, open."""

    def __init__(self, path: Path) -> None:
        """Open the folder, which is made where it does not exist, though not its parents.

        Raises MisconfiguredError when it is a link, or not this user's alone, and OSError when it cannot be opened.
        """
        self.path = path
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        if path.is_symlink():
            raise MisconfiguredError(f"The folder for exports, {path}, is a link: name the folder that it leads to.")
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        status = os.fstat(self._descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            self.close()
            raise MisconfiguredError(
                f"The folder for exports, {path}, must belong to the user that exports and be closed to all others:"
                " chmod 700."
            )

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def has(self, name: str) -> bool:
        """Whether something has this name, be it a link that leads nowhere."""
        return self._identity(name) is not None

    def create(self, name: str, token: str | None = None) -> Temporary:
        """A new, empty temporary file for a name, mode 0600, of this run or of the run with that token."""
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
            if os.fstat(descriptor).st_nlink:  # else another run took it for a dead one's before it was locked
                return Temporary(self, name, its_token, descriptor)
            os.close(descriptor)

    def publish(self, temporary: Temporary) -> None:
        """Give a temporary file its name as well, and see that this lasts; raises FileExistsError when it is taken."""
        os.link(
            temporary.path,
            temporary.name,
            src_dir_fd=self._descriptor,
            dst_dir_fd=self._descriptor,
            follow_symlinks=False,
        )
        self.sync()

    def sync(self) -> None:
        """See that the names of the files last."""
        os.fsync(self._descriptor)

    def remove(self, name: str) -> None:
        """Remove a name; none is fine."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def are_one(self, first: str, second: str) -> bool:
        """Whether two names are there and mean the same file."""
        identity = self._identity(first)
        return identity is not None and identity == self._identity(second)

    def remove_dead(self) -> None:
        """Remove the temporary files of runs that were killed, and data that one of them left without its manifest.

        While the temporary file of the data is there, one can tell what its run has published; so it is removed first.
        """
        with os.scandir(self._descriptor) as entries:
            names = [entry.name for entry in entries]
        for found in filter(None, map(_TEMPORARY.fullmatch, names)):
            with suppress(OSError):  # its run is alive, or it is a link or a folder, and none of ours
                self._remove_if_dead(found["name"].removesuffix(MANIFEST), found["token"])

    def _remove_if_dead(self, name: str, token: str) -> None:
        """A run locks the temporary file of its data from its making until after its removal."""
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
        """Take the name from a temporary file again, where it has it."""
        if self.are_one(temporary, name):
            self.remove(name)

    def _identity(self, name: str) -> tuple[int, int] | None:
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


class Temporary:
    """An open temporary file, and the name that it will have."""

    def __init__(self, folder: Folder, name: str, token: str, descriptor: int) -> None:
        """Keep what the folder made."""
        self.name = name
        self.token = token
        self.path = f".{name}.{token}.part"
        self._folder = folder
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        """Append."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        """See that the bytes last."""
        os.fsync(self._descriptor)

    def remove(self) -> None:
        """Remove the temporary name."""
        self._folder.remove(self.path)

    def unpublish(self) -> None:
        """Remove the final name, where it is this file's."""
        self._folder.unpublish(self.path, self.name)

    def close(self) -> None:
        """Close the file and give up its lock."""
        os.close(self._descriptor)
