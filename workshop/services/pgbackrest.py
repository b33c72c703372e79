"""Locate pgBackRest, with which the tests make and restore backups."""

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


def installed_pgbackrest() -> Path | None:
    """Return the path of the installed program, or of the unpacked one, or None."""
    if program := shutil.which("pgbackrest"):
        return Path(program)
    unpacked = UNPACKED / "usr/bin/pgbackrest"
    return unpacked if unpacked.is_file() else None
