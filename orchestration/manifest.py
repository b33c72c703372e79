"""Makes and reads the manifest of the dbt project for Python and Airflow.

It is not dbt's own `manifest.json`, because every dbt command rewrites that in place while Airflow may read it. It has
a tenth of the size: Airflow, Cosmos and each command read it whole (decision D172).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.errors import FailedError, MisconfiguredError

# The inputs of the manifest. Their digest is the first key of the file: both are replaced together, and the digest is
# read without the rest.
FOLDERS = ("models", "macros", "snapshots", "seeds", "tests")
FILES = ("dbt_project.yml", "profiles.yml", "selectors.yml")
DIGEST = "orgo_insights_digest"
_HEAD_BYTES = 200
# Resource types of nodes that are relations.
KINDS = ("model", "snapshot", "seed")
# What Python and Cosmos read of each node. The columns are restricted likewise.
FIELDS = frozenset(
    (
        *("alias", "columns", "config", "depends_on", "description", "fqn", "freshness", "identifier", "label", "name"),
        *(
            "original_file_path",
            "package_name",
            "patch_path",
            "resource_type",
            "schema",
            "source_name",
            "tags",
            "unique_id",
        ),
    )
)
COLUMN_FIELDS = frozenset(("name", "data_type", "config"))
# The name of the dbt project. Other packages may be installed beside it; their nodes are not part of Insights.
PACKAGE = "orgo_insights"


@dataclass(frozen=True)
class Relation:
    """A model, snapshot, seed or source table: its name in dbt, its relation in the warehouse, and its `config.meta`.

    `file` is the YAML file that describes it. `key` is its `unique_key`: the columns that identify a row (a current row
    in a snapshot).
    """

    name: str
    schema: str
    identifier: str
    meta: dict[str, Any]
    file: str = ""
    key: tuple[str, ...] = ()
    materialized: str = ""


@dataclass(frozen=True)
class Exposure:
    """A dashboard or an export: its declaration `meta` in `file`, and the names of the relations that it reads.

    `label` is what people call it; empty without one.
    """

    name: str
    description: str
    meta: dict[str, Any]
    depends_on: frozenset[str]
    file: str = ""
    label: str = ""


def manifest_file() -> Path:
    """Return the path of the manifest that DAGs, dashboards and exports are read from.

    That is the one below dbt's target folder (DBT_TARGET_PATH). Where there is none, it is manifest.json beside
    dbt_project.yml, if an image brings it along (decision D239).
    """
    written, brought = _written_file(), PROJECT / "manifest.json"
    return brought if brought.exists() and not written.exists() else written


def _written_file() -> Path:
    return dbt.target_path() / "parsed" / "manifest.json"


def manifest_problem() -> str | None:
    """Return why the manifest is unusable, with the command that makes it; None if it exists and is current.

    It compares contents, because a copied file or a new checkout has another time of modification (decision D160).
    """
    file, remedy = manifest_file(), "Run: insights manifest"
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return f"dbt's manifest {file} is missing. {remedy}"
    if not head.startswith(_head(_digest())):
        return f"dbt's manifest {file} was not made from the files that are in {PROJECT} now. {remedy}"
    return None


def _digest() -> str:
    """Return a digest of the names and contents of the manifest's inputs."""
    # os.walk, because pathlib takes longer to find the files than to read them.
    found = [
        os.path.relpath(os.path.join(folder, name), PROJECT)  # noqa: PTH118
        for top in FOLDERS
        for folder, _, names in os.walk(PROJECT / top)
        for name in names
        if name.endswith((".yml", ".sql"))
    ]
    digest = hashlib.sha256()
    for path in sorted([*FILES, *found]):
        content = (PROJECT / path).read_bytes()
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _head(digest: str) -> bytes:
    return json.dumps({DIGEST: digest})[:-1].encode()


def write_manifest(settings: Settings) -> Path:
    """Parse the project without a database, replace the manifest atomically, and return its path.

    Raises FailedError with dbt's messages if the project cannot be parsed, and MisconfiguredError if a model has
    versions or the folder cannot be written.
    """
    file = _written_file()
    work = file.parent / "work"  # kept, because dbt's partial parsing takes half the time
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MisconfiguredError(
            f"dbt's manifest cannot be written to {file.parent}: {error.strerror}."
            " Let DBT_TARGET_PATH name a folder that this user can write."
        ) from error
    digest = _digest()  # before dbt reads the files, so that a change meanwhile makes the manifest outdated
    lines: list[str] = []
    run = dbt.run(settings.of_postgres(), ["parse", "--quiet", "--target-path", str(work)], on_line=lines.append)
    if run.exit_code:
        raise FailedError(f"dbt cannot parse the project:\n{''.join(lines)}")
    made = work / "manifest.json"
    parsed = json.loads(made.read_bytes())
    _refuse_versions(parsed)
    made.write_bytes(_head(digest) + b", " + json.dumps(_needed(parsed)).encode()[1:])
    made.replace(file)
    return file


def _refuse_versions(manifest: Mapping[str, Any]) -> None:
    """Raise MisconfiguredError if a model has versions, which share the name in the log of loads (D280)."""
    for node in nodes(manifest):
        if node.get("version") is not None:
            raise MisconfiguredError(
                f"{yaml_file(node)}: the model {node['name']} has versions. The log of loads, dashboards, exports and"
                f" insights publish know a model by its name, which versions share. Make version {node['version']} a"
                f" model of its own, such as {node['name']}_v{node['version']}, and remove `versions`."
            )


def _needed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is read of dbt's manifest: relations, sources, exposures and selectors, without SQL and tests."""
    relations = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in KINDS}
    kinds = {"nodes": relations, "sources": manifest["sources"], "exposures": manifest["exposures"]}
    found = {kind: {key: _node(node) for key, node in of.items()} for kind, of in kinds.items()}
    return {**found, "selectors": manifest["selectors"]}


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: _only(COLUMN_FIELDS, column) for name, column in node.get("columns", {}).items()}
    return {**_only(FIELDS, node), "columns": columns}


def _only(fields: frozenset[str], mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key in fields}


def read_manifest(settings: Settings) -> dict[str, Any]:
    """Return the manifest for these settings, and make it first unless it is current.

    Raises like `write_manifest`.
    """
    if manifest_problem() is None:
        manifest = _load()
        if settings.insights.warehouse.schema_name in {node["schema"] for node in nodes(manifest)}:
            return manifest
    write_manifest(settings)
    return _load()


def current_manifest() -> dict[str, Any]:
    """Return the manifest that `insights manifest` has written.

    Raises MisconfiguredError if it is missing or was made from other files.
    """
    if problem := manifest_problem():
        raise MisconfiguredError(problem)
    return _load()


def nodes(manifest: Mapping[str, Any], kind: str = "nodes") -> list[dict[str, Any]]:
    """Return the nodes of this project, or its `sources` or `exposures`, without those of other dbt packages."""
    return [node for node in manifest[kind].values() if node["package_name"] == PACKAGE]


def relations(manifest: Mapping[str, Any]) -> dict[str, Relation]:
    """Return every relation of this project by name.

    A relation that is both a model and a source, which reads the rows of the previous load, is returned as the model.
    """
    found = [
        Relation(s["name"], s["schema"], s["identifier"], s["config"]["meta"], s["original_file_path"])
        for s in nodes(manifest, "sources")
    ]
    found += [_relation(node) for node in nodes(manifest) if node["resource_type"] in KINDS]
    return {relation.name: relation for relation in found}


def marts(manifest: Mapping[str, Any], *, dag: str | None = None, folder: str = "") -> list[str]:
    """Return the sorted names of the marts below a folder of models/marts, restricted to those of a DAG, if given."""
    return sorted(
        node["name"]
        for node in nodes(manifest)
        if node["resource_type"] == "model"
        and node["original_file_path"].startswith(f"models/marts/{folder}")
        and (dag is None or dag in node["config"]["tags"])
    )


def scheduled_marts(settings: Settings) -> dict[str, str]:
    """Return the key of the DAG that builds a mart, by its name, for the DAGs that run in this environment.

    Raises like `write_manifest`; without a DAG on a schedule, as in dev, no manifest is needed.
    """
    enabled = [key for key in settings.dags if settings.is_enabled(key)]
    manifest = read_manifest(settings) if enabled else {"nodes": {}}
    return {name: key for key in enabled for name in marts(manifest, dag=key)}


def exposures(manifest: Mapping[str, Any], key: str) -> dict[str, Exposure]:
    """Return the exposures with this key of `config.meta` (`dashboard` or `export`), by name."""
    return {
        node["name"]: Exposure(
            node["name"],
            node["description"],
            node["config"]["meta"][key],
            frozenset(unique_id.rpartition(".")[2] for unique_id in node["depends_on"]["nodes"]),
            node["original_file_path"],
            node.get("label") or "",
        )
        for node in nodes(manifest, "exposures")
        if key in node["config"]["meta"]
    }


def yaml_file(node: Mapping[str, Any]) -> str:
    """Return the YAML file that describes a node of the manifest, relative to the project."""
    path: str = node.get("patch_path") or node["original_file_path"]
    return path.rpartition("://")[2]


def _relation(node: Mapping[str, Any]) -> Relation:
    config = node["config"]
    key = config.get("unique_key") or []
    columns = (key,) if isinstance(key, str) else tuple(key)
    file, materialized = yaml_file(node), config["materialized"]
    return Relation(node["name"], node["schema"], node["alias"], config["meta"], file, columns, materialized)


def _load() -> dict[str, Any]:
    file = manifest_file()
    status = file.stat()
    return _parsed(file, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=1)
def _parsed(file: Path, _modified: int, _inode: int) -> dict[str, Any]:
    """Return the content of the file, cached until the file is replaced; callers must not modify it."""
    manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return manifest
