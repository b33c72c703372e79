"""Which user runs PostgreSQL, which refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import InsightsError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """The user and group that a command runs as; None means the present one."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None

    def run(self, command: Sequence[object], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run `command` (strings and paths) in `folder` with `text` as its input, capturing what it prints.

        Its environment holds nothing of ours but PATH: PGDATA, PGHOST or a foreign locale must not reach it.
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
        """Make `folder` with mode 0700 belong to this user, creating it when absent."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.user is not None and self.group is not None:
            os.chown(folder, self.user, self.group)


OURSELVES = Account(None, None, None)


def service_account() -> Account:
    """Return the account that runs PostgreSQL: the present user, but under root `postgres`, or `nobody` without it.

    Raises InsightsError under root when neither exists.
    """
    if os.geteuid() != 0:
        return OURSELVES
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, [])
    raise InsightsError("PostgreSQL cannot run as root, and there is no user postgres or nobody: add one of them")
