"""Where the private services keep their data, sockets and logs.

The place is /var/tmp/orgo-insights-<user id>-<hash of the checkout's path>, for these reasons:
- A socket's path may have 107 bytes, and a checkout's own path is often longer.
- PostgreSQL refuses to run as root, so under root another user runs it, who cannot enter a checkout below root's home.
- TMPDIR differs between two logins of one user; the folder must be the same one, or `./dev clean` would miss it.
- /tmp may be in memory and is emptied at a restart; /var/tmp is neither, and every Linux has it.

Anyone may create names in /var/tmp, so a folder that is a link or belongs to somebody else is refused.
"""

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import InsightsError

PARENT = Path("/var/tmp")  # noqa: S108 - the checks of state_root make a name here safe
MAX_SOCKET_PATH_BYTES = 107


def state_root(project: Path) -> Path:
    """Return the state folder of this checkout and user, created when absent.

    Its mode is 0700, or 0711 under root, whose PostgreSQL runs as another user and must reach its own subfolder.
    Raises InsightsError when the name is taken by a link, a file or somebody else's folder.
    """
    path = PARENT / f"orgo-insights-{os.geteuid()}-{short_hash(project.resolve())}"
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        path.mkdir(mode=mode, exist_ok=True)
    except FileExistsError:
        raise InsightsError(
            f"{path} is not a folder: move it away, the private services keep their state there"
        ) from None
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise InsightsError(f"{path} is a link and must be a real folder: remove the link")
    if found.st_uid != os.geteuid():
        raise InsightsError(
            f"{path} belongs to user {found.st_uid}, not to you (user {os.geteuid()}): have its owner or root remove it"
        )
    path.chmod(mode)  # the umask may have taken bits away
    return path


def remove_state(state: Path) -> None:
    """Remove the whole state folder; stop the services first. Absent is fine.

    Raises InsightsError when a file in it cannot be removed.
    """
    if not state.exists():
        return
    try:
        shutil.rmtree(state)
    except OSError as error:
        raise InsightsError(f"cannot remove {error.filename or state}: {error.strerror}") from error


@contextmanager
def locked(state: Path, service: str) -> Iterator[None]:
    """Hold the lock under which one process at a time starts or stops `service` in this state folder."""
    with (state / f"{service}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def marker(service: str, state: Path) -> str:
    """Return the word that marks this service's processes, and no other's, in their command lines."""
    return f"orgo-{service}-{short_hash(state)}"


def check_socket(path: Path) -> None:
    """Raise InsightsError when `path` is too long for a unix socket."""
    size = len(os.fsencode(path))
    if size > MAX_SOCKET_PATH_BYTES:
        raise InsightsError(
            f"the socket path {path} has {size} bytes and may have {MAX_SOCKET_PATH_BYTES}: use a shorter state folder"
        )


def last_lines(log: Path, count: int = 5) -> str:
    """Return the last lines of a log file for an error message, or a word in their place."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log)"


def short_hash(path: Path) -> str:
    """Return 12 hexadecimal digits that stand for the path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
