"""Locate Prometheus and promtool, with which the tests ask the metrics and try the rules for alerts."""

import shutil
import sys
from pathlib import Path

from orchestration.errors import MisconfiguredError

PROGRAMS = ("prometheus", "promtool")
UNPACKED = Path(sys.prefix) / "prometheus"  # where `./dev test` unpacks Debian's package


def prometheus_programs() -> Path:
    """Return the folder of both programs. Raises MisconfiguredError when there is none."""
    found = installed_prometheus()
    if found is None:
        raise MisconfiguredError(f"{' and '.join(PROGRAMS)} were not found on PATH. Install the package prometheus.")
    return found


def installed_prometheus() -> Path | None:
    """Return the folder of the installed programs, or of the unpacked ones, or None."""
    places = [UNPACKED / "usr/bin"]
    if program := shutil.which(PROGRAMS[0]):
        places.insert(0, Path(program).parent)
    return next((place for place in places if all((place / name).is_file() for name in PROGRAMS)), None)
