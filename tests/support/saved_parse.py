"""Saves the parsed project for dbt in a process of its own, which would otherwise parse it again for each database."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.constants import PARTIAL_PARSE_FILE_NAME
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import ManifestLoader, extended_mashumaro_encoder
from support import in_process

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.dbt_engines import DUCKDB_PROFILE

# What a parsed project depends on besides the files: target, schema, and profile (None is that of PostgreSQL).
Key = tuple[str, str, str | None]
WORK = Path("parsed/work")  # where `insights manifest` parses, below the folder of dbt's artifacts
_parsed: dict[Key, Manifest] = {}  # `bind` changes the database


class _SavedError(Exception):
    """Ends the parsing for which a file is saved."""


def save_for_insights(settings: Settings, url: str, **variables: Any) -> None:
    """Save the parsed project for loads by `insights` with this URL and these variables of dbt, such as `as_of`."""
    save(dbt.process_environment(settings, url, claim=1), *dbt.complete(settings, [], variables))


def save_for_copy(settings: Settings, url: str, project: Path, target: Path) -> None:
    """Save the parsed project for an `insights` that runs a copy of it, and whose dbt writes into `target`.

    It is saved for loads, and for the manifest, which is parsed without a database.
    """
    for of_dbt, place in ((url, target), (None, target / WORK)):
        environment = dbt.process_environment(settings, of_dbt, claim=1) | {"DBT_TARGET_PATH": str(place)}
        save(environment, *dbt.complete(settings, [], {}), project=project)


def save(environment: Mapping[str, str], *options: str, project: Path = PROJECT) -> None:
    """Save the parsed project for a dbt with these environment variables and options (vars, target, profile).

    `project` may be the folder of a copy that was edited: dbt parses the files that differ.
    dbt compares its version, its options, its connection and the files with those of the saved project, and parses what
    differs. So a wrong argument here costs time and changes no result, and an error is that dbt's to report.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        if missing := _save(project, options):
            _parsed[missing] = in_process.as_parsed(*missing)
            _save(project, options)


def _save(folder: Path, options: Sequence[str]) -> Key | None:
    """Save the parsed project for a dbt with these options; returns its key if it is not parsed yet."""
    missing: list[Key] = []

    def adopt(loader: ManifestLoader) -> Manifest | None:
        project = loader.root_project
        profile = DUCKDB_PROFILE if project.profile_name == DUCKDB_PROFILE else None
        key = (project.target_name, project.credentials.schema, profile)
        if key in _parsed:
            manifest = _parsed[key]
            in_process.bind(manifest, project.credentials.database)
            manifest.state_check = loader.manifest.state_check
            _file().parent.mkdir(parents=True, exist_ok=True)
            _file().write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        else:
            missing.append(key)
        raise _SavedError

    places = ["--profiles-dir", str(folder), "--project-dir", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ManifestLoader, "read_manifest_for_partial_parse", adopt)
        dbtRunner().invoke(["parse", *options, *places, "--no-write-json", "--quiet", *in_process.NO_LOGGERS])
    return missing[0] if missing else None


def _file() -> Path:
    return Path(os.environ["DBT_TARGET_PATH"]) / PARTIAL_PARSE_FILE_NAME
