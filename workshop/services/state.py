"""The state folder, where the private services keep their data, sockets and logs.

It is /var/tmp/orgo-insights-<user id>-<hash of the checkout's path>, for these reasons:
- A socket's path may have at most 107 bytes, and a checkout's path is often longer.
- PostgreSQL refuses to run as root, so root runs it as another user, who cannot enter a checkout below root's home.
- TMPDIR can differ between two logins of one user, but `./dev clean` must find the same folder.
- /tmp may be in memory and is emptied at a restart; /var/tmp is on disk, survives restarts and exists on every Linux.

Any user may create names in /var/tmp, so a folder that is a link or belongs to another user is refused.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import ConflictError, FailedError, MisconfiguredError, RefusedError

PARENT = Path("/var/tmp")  # noqa: S108 - the checks of state_root make a name here safe
MAX_SOCKET_PATH_BYTES = 107


def state_root(project: Path) -> Path:
    """Return the state folder of this checkout and user, creating it if it is missing.

    Its mode is 0700, or 0711 for root, whose PostgreSQL runs as another user and must reach its subfolder.
    Raises ConflictError when a link or a file has that name, and RefusedError when the folder is another user's.
    """
    path = PARENT / f"orgo-insights-{os.geteuid()}-{short_hash(project.resolve())}"
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        path.mkdir(mode=mode, exist_ok=True)
    except FileExistsError:
        raise ConflictError(
            f"{path} is not a folder: rename or remove it, because the private services need a folder with this name"
        ) from None
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise ConflictError(f"{path} is a link and must be a real folder: remove the link")
    if found.st_uid != os.geteuid():
        raise RefusedError(
            f"{path} belongs to user {found.st_uid}, not to user {os.geteuid()}: ask its owner or root to remove it"
        )
    path.chmod(mode)  # the umask may have cleared bits
    return path


def remove_state(state: Path) -> None:
    """Remove the state folder if it exists; the services must be stopped.

    Raises FailedError when a file in it cannot be removed.
    """
    if not state.exists():
        return
    try:
        shutil.rmtree(state)
    except OSError as error:
        raise FailedError(f"cannot remove {error.filename or state}: {error.strerror}") from error


@contextmanager
def locked(state: Path, service: str) -> Iterator[None]:
    """Hold the lock that lets one process at a time start or stop `service` in this state folder."""
    with (state / f"{service}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def marker(service: str, state: Path) -> str:
    """Return the text that identifies this service's processes by their command lines."""
    return f"orgo-{service}-{short_hash(state)}"


def check_socket(path: Path) -> None:
    """Raise MisconfiguredError when `path` is too long for a unix socket."""
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_PATH_BYTES:
        raise MisconfiguredError(
            f"the socket path {path} has {size} bytes, more than {MAX_SOCKET_PATH_BYTES}: use a shorter state folder"
        )


def last_lines(log: Path, count: int = 5) -> str:
    """Return the last lines of a log file, or `(no log)` if it cannot be read, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log)"


def short_hash(path: Path) -> str:
    """Return 12 hexadecimal digits that identify the path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
