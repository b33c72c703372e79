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

# The parsed project by what it depends on besides the files: target and schema. `bind` changes the database.
_parsed: dict[tuple[str, str], Manifest] = {}


class _SavedError(Exception):
    """Ends the parsing for which a file is saved."""


def save_for_insights(settings: Settings, url: str, **variables: Any) -> None:
    """Save the parsed project for loads by `insights` with this URL and these variables of dbt, such as `as_of`."""
    save(dbt.process_environment(settings, url, claim=1), *dbt.complete(settings, [], variables))


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


def _save(folder: Path, options: Sequence[str]) -> tuple[str, str] | None:
    """Save the parsed project for a dbt with these options; returns its target and schema if it is not parsed yet."""
    missing: list[tuple[str, str]] = []

    def adopt(loader: ManifestLoader) -> Manifest | None:
        project = loader.root_project
        key = (project.target_name, project.credentials.schema)
        if key in _parsed:
            manifest = _parsed[key]
            in_process.bind(manifest, project.credentials.database)
            manifest.state_check = loader.manifest.state_check
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
