"""dbt's manifest of the project, from which Airflow's DAGs are made: where it is, whether it is current, making it.

It is not dbt's own `manifest.json`: every dbt command rewrites that in place, and Airflow may read at any moment.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.errors import InsightsError

# What a manifest is made of.
FOLDERS = ("models", "macros", "snapshots", "seeds", "tests", "profiles")


def manifest_file() -> Path:
    """The manifest that DAGs are made from: below dbt's target folder, so DBT_TARGET_PATH moves it."""
    return dbt.target_path() / "parsed" / "manifest.json"


def manifest_problem(project: Path = PROJECT) -> str | None:
    """Why the manifest cannot be used, with the command that makes it; None when it is there and current.

    Looks at files only.
    """
    file, remedy = manifest_file(), "Run: insights manifest"
    try:
        written = file.stat().st_mtime
    except FileNotFoundError:
        return f"dbt's manifest {file} is missing. {remedy}"
    sources = [path for folder in FOLDERS for path in (project / folder).rglob("*") if path.suffix in (".yml", ".sql")]
    newest = max([project / "dbt_project.yml", *sources], key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime > written:
        return f"dbt's manifest {file} is older than {newest.relative_to(project)}. {remedy}"
    return None


def write_manifest(settings: Settings) -> Path:
    """Parse the project and replace the manifest at once; returns where it is. No database is asked.

    Raises InsightsError with dbt's messages when the project cannot be parsed.
    """
    file = manifest_file()
    work = file.parent / "work"  # kept: dbt parses in half the time what it has parsed before
    started = time.time()
    lines: list[str] = []
    run = dbt.run(settings, ["parse", "--quiet", "--target-path", str(work)], on_line=lines.append)
    if run.exit_code:
        raise InsightsError(f"dbt cannot parse the project:\n{''.join(lines)}")
    made = work / "manifest.json"
    os.utime(made, (started, started))  # a file that changed while dbt was reading counts as newer
    made.replace(file)
    return file
