"""Choose the user that runs PostgreSQL, which refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import MisconfiguredError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The user and group that a command runs as; None means the current one."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None

    def run(self, command: Sequence[object], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run `command` (strings and paths) in `folder` with `text` as standard input, and capture its output.

        The environment passes on PATH alone, because PGDATA, PGHOST or the caller's locale would change the result.
        Raises PermissionError when this user may not execute the program.
        """
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            input=text,
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
            group=self.group,
            extra_groups=self.extra_groups,
        )

    def own(self, folder: Path) -> None:
        """Create `folder` with mode 0700 if it is missing, and make this user its owner."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.user is not None and self.group is not None:
            os.chown(folder, self.user, self.group)


CURRENT_USER = Account(None, None, None)


def service_account() -> Account:
    """Return the account that runs PostgreSQL: the current user, or `postgres`, else `nobody`, when that is root.

    Raises MisconfiguredError for root when neither user exists.
    """
    if os.geteuid() != 0:
        return CURRENT_USER
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, [])
    raise MisconfiguredError(
        "PostgreSQL cannot run as root, and neither the user postgres nor the user nobody exists: create one of them"
    )
