"""Where the operational tables are copied to, as `--to` and the configuration name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from orchestration.config.files import Settings
from orchestration.config.tokens import SqlName
from orchestration.errors import BadInputError, RefusedError

# Engines whose address and credentials dlt reads from its own variables and files.
BY_DLT = ("snowflake",)
KINDS = f"duckdb:///FOLDER/FILE.duckdb or {' or '.join(BY_DLT)}"
STAGING = "_insights_replicate"  # ends the name of the schema for rows that are not merged yet
SCHEMA = TypeAdapter(SqlName)


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

    Raises BadInputError for another engine, a URL with credentials, a file that cannot be made there or would make
    names ambiguous, or the name of a schema that dlt would change, and RefusedError without `given` if the warehouse is
    PostgreSQL or a file.
    """
    schema = schema or settings.insights.source.schema_name
    _check_schema(schema)
    engine = given or settings.insights.warehouse.type
    if engine in BY_DLT:
        return Target(engine, schema)
    if given is None:
        raise RefusedError(_NEEDS_NO_COPY[engine])
    try:
        parts = urlsplit(given)
    except ValueError as error:  # such as a bracket that is not closed
        raise BadInputError(f"--to is not a URL; it must be {KINDS}.") from error
    if parts.scheme in BY_DLT:
        raise BadInputError(
            f"--to takes only the name {parts.scheme}: other users of this machine can read arguments. Set"
            f" DESTINATION__{parts.scheme.upper()}__CREDENTIALS to the address, or use another place that dlt reads."
        )
    if parts.scheme != "duckdb":  # the rest may have credentials
        raise BadInputError(f"--to is {f'a URL of {parts.scheme}' if parts.scheme else 'no URL'}; it must be {KINDS}.")
    path = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not path.strip("/") or "\0" in path:
        raise BadInputError(f"A file of DuckDB is duckdb:// and its absolute path, and nothing else: {KINDS}.")
    return _file(settings, Path(path), schema)


def _check_schema(schema: str) -> None:
    """Raise BadInputError for a name that dlt would change (its naming convention `snake_case`), or that ends badly."""
    try:
        SCHEMA.validate_python(schema)
    except ValidationError:
        is_kept = False
    else:
        is_kept = "__" not in schema and not schema.endswith("_")
    if not is_kept:
        raise BadInputError(
            f"The schema {schema!r} would have another name in the copy: name one with --schema of lower-case letters,"
            " digits and single underscores between them, such as orgo_copy."
        )
    if schema.endswith(STAGING):
        raise BadInputError(
            f"The schema {schema} may not end with {STAGING}: rows of other copies are staged in such schemas."
        )


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
    if path.is_dir():
        raise BadInputError(f"{path} is a folder; --to names a file in it: {KINDS}.")
    if settings.is_duckdb and path.resolve() == settings.duckdb_path.resolve():
        raise BadInputError(
            f"{path} is the warehouse (insights.warehouse.path), in which these tables are views of a snapshot. Name"
            " another file."
        )
    return Target("duckdb", schema, path)
