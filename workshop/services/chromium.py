"""Locate Chromium, in which the tests look at the page of the reporting service: installed, or Playwright's own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from orchestration.errors import MisconfiguredError

# The first has no window, and takes a third of the processor time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Where `playwright install` puts the headless Chromium, by its documentation.
FOLDER = "PLAYWRIGHT_BROWSERS_PATH"
OWN = "chromium_headless_shell-*/*/*headless*shell"


def chromium_program() -> Path:
    """Return the path of Chromium. Raises MisconfiguredError when there is none."""
    found = installed_chromium()
    if found is None:
        raise MisconfiguredError(
            f"Chromium was not found on PATH as {', '.join(NAMES)}. Install the package chromium-headless-shell or"
            " chromium, or run: playwright install --with-deps chromium-headless-shell"
        )
    return found


def installed_chromium() -> Path | None:
    """Return the path of an installed Chromium that starts, or of the one that Playwright has downloaded, or None.

    Ubuntu's chromium-browser is a script that only says how to get the real one.
    """
    folder = Path(os.environ.get(FOLDER) or Path.home() / ".cache/ms-playwright")
    installed = [Path(program) for name in NAMES if (program := shutil.which(name))]
    return next(filter(_starts, [*installed, *sorted(folder.glob(OWN), reverse=True)]), None)


def _starts(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:  # not executable here
        return False
    return done.returncode == 0 and re.search(r"\bChrom(e|ium)\b", done.stdout) is not None
