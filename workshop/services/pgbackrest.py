"""Locate pgBackRest, with which tests and benchmarks make and restore backups."""

import shutil
import sys
from pathlib import Path

from orchestration.errors import MisconfiguredError

UNPACKED = Path(sys.prefix) / "pgbackrest"  # where `./dev test` unpacks Debian's package


def pgbackrest_program() -> Path:
    """Return the path of pgBackRest. Raises MisconfiguredError when there is none."""
    found = installed_pgbackrest()
    if found is None:
        raise MisconfiguredError("pgbackrest was not found on PATH. Install the package pgbackrest.")
    return found


def program_for_the_server(state: Path) -> Path:
    """Copy pgBackRest to a folder below `state` where the account of PostgreSQL can run it, and return the folder.

    Raises MisconfiguredError when there is none.
    """
    folder = state / "programs"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    shutil.copy(pgbackrest_program(), folder / "pgbackrest")
    (folder / "pgbackrest").chmod(0o755)
    return folder


def installed_pgbackrest() -> Path | None:
    """Return the path of the installed program, or of the unpacked one, or None."""
    if program := shutil.which("pgbackrest"):
        return Path(program)
    unpacked = UNPACKED / "usr/bin/pgbackrest"
    return unpacked if unpacked.is_file() else None
