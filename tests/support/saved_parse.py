"""Saves the parsed project for dbt in a process of its own, which would otherwise parse it again for each database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.constants import PARTIAL_PARSE_FILE_NAME
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import ManifestLoader, extended_mashumaro_encoder, extended_mashumuro_decoder
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


def save(environment: Mapping[str, str], *options: str) -> None:
    """Save the parsed project for a dbt with these environment variables and options (vars, target, profile).

    dbt compares its version, its options, its connection and the files with those of the saved project, and parses what
    differs. So a wrong argument here costs time and changes no result, and an error is that dbt's to report.
    """
    in_process.parsed("dev", "insights")
    asked: list[tuple[str, str]] = []
    read = ManifestLoader.read_manifest_for_partial_parse

    def adopt(loader: ManifestLoader) -> Manifest | None:
        project = loader.root_project
        asked.append((project.target_name, project.credentials.schema))
        if asked[-1] not in _parsed:
            return read(loader)
        manifest = _parsed[asked[-1]]
        in_process.bind(manifest, project.credentials.database)
        manifest.state_check = loader.manifest.state_check
        _file().write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        raise _SavedError

    places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ManifestLoader, "read_manifest_for_partial_parse", adopt)
        for name, value in environment.items():
            patch.setenv(name, value)
        done = dbtRunner().invoke(["parse", *options, *places, "--no-write-json", "--quiet", *in_process.NO_LOGGERS])
        if done.success and asked and asked[-1] not in _parsed:
            saved = _file().read_bytes()
            _parsed[asked[-1]] = Manifest.from_msgpack(saved, decoder=extended_mashumuro_decoder)


def _file() -> Path:
    return Path(os.environ["DBT_TARGET_PATH"]) / PARTIAL_PARSE_FILE_NAME
