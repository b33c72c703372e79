"""Which relations are copied, and how they are made in the serving database: dbt writes the statements (D264)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from psycopg import sql

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import FailedError, MisconfiguredError
from orchestration.manifest import nodes
from orchestration.publishing.values import SUPPORTED, unsupported

_CALL = "{{{{ serving_definitions({names}) }}}}"


@dataclass(frozen=True)
class Definition:
    """A relation of the serving database: its columns as (name, type), and the statements that make and fill it.

    `create` makes the table, `make` the temporary table for new rows, `changes` and `index_names` are queries of
    statements that bring the stored table to the form of an empty temporary one with `made_indexes`. `replacement`,
    empty without a key, gives the stored table the rows of the temporary one. `comments` are (column, text), where
    None is the relation itself.
    """

    name: str
    schema: str
    identifier: str
    columns: tuple[tuple[str, str], ...]
    create: str
    indexes: tuple[str, ...]
    make: str
    made_indexes: tuple[str, ...]
    drop_made: str
    lock: str
    changes: str
    index_names: str | None
    replacement: tuple[str, ...]
    comments: tuple[tuple[str | None, str], ...]
    rights: str

    @property
    def relation(self) -> sql.Identifier:
        """The quoted name of the stored table."""
        return sql.Identifier(self.schema, self.identifier)

    @property
    def made(self) -> sql.Identifier:
        """The quoted name of the temporary table."""
        return sql.Identifier("pg_temp", self.identifier)

    @property
    def column_names(self) -> sql.Composed:
        """The quoted names of the columns, separated by commas."""
        return sql.SQL(", ").join(sql.Identifier(name) for name, _ in self.columns)


def declared_relations(manifest: Mapping[str, Any]) -> list[str]:
    """Return the sorted names of the models and seeds that the exposures of this project read."""
    read = (unique_id for exposure in nodes(manifest, "exposures") for unique_id in exposure["depends_on"]["nodes"])
    return sorted({unique_id.rpartition(".")[2] for unique_id in read})


def parsed_path() -> Path:
    """Return the folder where dbt keeps the project as parsed for the serving database.

    dbt parses everything again when the connection changes, and `insights snapshot` connects to another database.
    """
    return dbt.target_path() / "serving"


def read_definitions(settings: Settings, url: str, names: list[str]) -> list[Definition]:
    """Return the definitions of relations, by name; dbt connects to the serving database for it, and changes nothing.

    Raises FailedError with dbt's message, MisconfiguredError for a name without a relation and for a type
    that cannot be compared, and like `dbt.run`.
    """
    lines: list[str] = []
    command = ["compile", "--inline", _CALL.format(names=json.dumps(names)), "--target-path", str(parsed_path())]
    options = ("--no-populate-cache", "--no-write-json", "--log-format", "json")  # the queries are read from its output
    run = dbt.run(settings.of_postgres(), [*command, *options], url=url, on_line=lines.append)
    events = [json.loads(line) for line in lines if line.startswith("{")]
    compiled = "".join(e["data"]["compiled"] for e in events if e["info"]["name"] == "CompiledNode")
    if run.exit_code or not compiled:
        said = [e["info"]["msg"] for e in events if e["info"]["level"] == "error"]
        raise FailedError(f"dbt cannot define the tables of the serving database: {' '.join(' '.join(said).split())}")
    found = [_definition(raw) for raw in json.loads(compiled)]
    if unknown := sorted(set(names) - {definition.name for definition in found}):
        raise MisconfiguredError(
            f"An exposure depends on {unknown[0]}, which is no model or seed of this project: insights publish cannot"
            " copy it. Let the exposure depend on a model or seed."
        )
    for definition in found:
        _check_types(definition)
    return sorted(found, key=lambda definition: definition.name)


def _check_types(definition: Definition) -> None:
    for name, kind in unsupported(definition.columns):
        raise MisconfiguredError(
            f"The column {name} of {definition.name} has the type {kind}, which DuckDB and PostgreSQL write"
            f" differently: its rows could not be compared. insights publish copies {SUPPORTED}. Cast the column in the"
            " model, or let no exposure depend on the model."
        )


def _definition(raw: dict[str, Any]) -> Definition:
    values = {field.name: raw[field.name] for field in fields(Definition)}
    pairs = {
        "columns": tuple((column["name"], column["type"]) for column in raw["columns"]),
        "comments": tuple((comment["column"], comment["text"]) for comment in raw["comments"]),
    }
    listed = {name: tuple(raw[name]) for name in ("indexes", "made_indexes", "replacement")}
    return Definition(**values | listed | pairs)
