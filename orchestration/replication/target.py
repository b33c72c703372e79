"""Where the operational tables are copied to, as `--to` and the configuration name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestration.config.files import Settings
from orchestration.errors import BadInputError, RefusedError

# Engines whose address and credentials dlt reads from its own variables and files.
BY_DLT = ("snowflake", "bigquery")
KINDS = f"duckdb:///FOLDER/FILE.duckdb, {' or '.join(BY_DLT)}"
STAGING = "_staging"  # what dlt adds to the name of the schema for rows that are not merged yet


@dataclass(frozen=True)
class Target:
    """An engine, and the schema in it; `path` is the file of DuckDB, None for other engines."""

    engine: str
    schema: str
    path: Path | None = None

    def __str__(self) -> str:
        """Return it for messages and the audit, without credentials."""
        return f"duckdb://{self.path}" if self.path else self.engine


def target_of(settings: Settings, given: str | None, schema: str | None) -> Target:
    """Return the target that was given, by default the engine of the warehouse, and source.schema as the schema.

    Raises BadInputError for another engine, a URL with credentials, or a file whose name or place does not do, and
    RefusedError without `given` if the warehouse is PostgreSQL or a file.
    """
    schema = schema or settings.insights.source.schema_name
    engine = given or settings.insights.warehouse.type
    if engine in BY_DLT:
        return Target(engine, schema)
    if given is None:
        raise RefusedError(_NEEDS_NO_COPY[engine])
    parts = urlsplit(given)
    if parts.scheme in BY_DLT:
        raise BadInputError(
            f"--to takes only the name {parts.scheme}: other users of this machine can read arguments. Set"
            f" DESTINATION__{parts.scheme.upper()}__CREDENTIALS to the address, or use another place that dlt reads."
        )
    if parts.scheme != "duckdb":
        raise BadInputError(f"--to is {given!r}; it must be {KINDS}.")
    if parts.netloc or parts.query or parts.fragment or not parts.path.strip("/"):
        raise BadInputError(f"--to is {given!r}; a file of DuckDB is duckdb:// and its absolute path: {KINDS}.")
    return _file(settings, Path(unquote(parts.path)), schema)


_NEEDS_NO_COPY = {
    "postgres": "insights.warehouse.type is postgres: the warehouse reads Orgo's tables where they are. To copy them to"
    f" another engine, name it: --to {KINDS}.",
    "duckdb": "insights.warehouse.type is duckdb: a file is built from a snapshot (insights snapshot). To copy the"
    f" tables to another file or engine, name it: --to {KINDS}.",
}


def _file(settings: Settings, path: Path, schema: str) -> Target:
    name = path.name.partition(".")[0].lower()
    if name in {schema.lower(), schema.lower() + STAGING}:
        raise BadInputError(
            f"{path} may not be named like its schema {schema}: DuckDB names the database after the file, and"
            f" {name}.tasks would be ambiguous."
        )
    if not path.parent.is_dir():
        raise BadInputError(f"{path} cannot be made: there is no folder {path.parent}.")
    if settings.is_duckdb and path.resolve() == settings.duckdb_path.resolve():
        raise BadInputError(
            f"{path} is the warehouse (insights.warehouse.path), in which these tables are views of a snapshot. Name"
            " another file."
        )
    return Target("duckdb", schema, path)
