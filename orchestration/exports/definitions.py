"""The exports of this project: exposures of dbt whose `config.meta.export` says what leaves (decision D12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from orchestration.config.files import Settings
from orchestration.exports.meta import EXPORT, AggregateExport, Kind, RowsExport
from orchestration.manifest import Exposure, exposures, read_manifest
from orchestration.meta import Declaration

Pii = Literal["identifier", "name", "free_text", "birth_date", "key", "none"]


@dataclass(frozen=True)
class Column:
    """A column of a mart: its type in PostgreSQL, and what `meta.pii` says of it (`none` when it says nothing)."""

    name: str
    data_type: str
    pii: Pii = "none"


@dataclass(frozen=True)
class Part:
    """A relation under an export. `key` joins it to the first one, which has none; `visible`: it has a visibility."""

    name: str
    schema: str
    identifier: str
    columns: dict[str, Column]
    retention_class: str | None = None
    key: str | None = None

    @property
    def has_visibility(self) -> bool:
        """Whether each row says who may see it."""
        return "visibility" in self.columns


@dataclass(frozen=True)
class Dimension:
    """What cells are told apart by: a name and the column behind it."""

    name: str
    part: Part
    column: Column


@dataclass(frozen=True)
class Measure:
    """A number of a cell: an SQL aggregate and its type."""

    name: str
    data_type: str
    sql: str


@dataclass(frozen=True)
class Reference:
    """What a column names: rows of an export of rows, by the column `key` of its relation `part`; one, or an array."""

    export: Definition
    part: Part
    key: str
    is_array: bool

    @property
    def text(self) -> str:
        """As it is declared: `cases.case_id`."""
        return f"{self.export.name}.{self.key}"


@dataclass(frozen=True)
class Definition:
    """One export. `parts` begins with the relation whose column `date` the range is about.

    Rows have `columns`, by name in their order, each with the part it is of; `references` says which of them name rows
    of another export.
    An aggregate has `measures` for each month and each combination of `dimensions`; `group_size`, an SQL aggregate,
    says how many are behind them.
    """

    name: str
    description: str
    kind: Kind
    parts: tuple[Part, ...]
    date: str
    columns: Mapping[str, tuple[Part, Column]] = field(default_factory=dict)
    references: Mapping[str, Reference] = field(default_factory=dict)
    dimensions: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    group_size: str = ""


def load_definitions(settings: Settings) -> dict[str, Definition]:
    """Every export, by name; takes the seconds of `dbt parse` when the manifest is old. Raises InsightsError."""
    return definitions(read_manifest(settings))


def definitions(manifest: dict[str, Any]) -> dict[str, Definition]:
    """Every export of a manifest, by name; raises InsightsError, with file, export and key, for a wrong declaration."""
    models = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    found = exposures(manifest, "export")
    plain = {name: definition(exposure, models) for name, exposure in found.items()}
    return {name: referring(found[name], plain) for name in plain}


def referring(exposure: Exposure, plain: Mapping[str, Definition]) -> Definition:
    """The definition of this exposure, of those in `plain`, with what its columns name (`refers`).

    Raises InsightsError when a column or a row is named that is not there, or that it does not depend on.
    """
    own = plain[exposure.name]
    declared: dict[str, str] = exposure.meta.get("refers", {})
    references = {column: _reference(exposure, own, plain, column, to) for column, to in declared.items()}
    return replace(own, references=references)


def definition(exposure: Exposure, models: Mapping[str, dict[str, Any]]) -> Definition:
    """One export by itself, without what its columns name of others; `models` are the manifest's, by name.

    Raises InsightsError when the declaration is wrong.
    """
    where = _where(exposure)
    declared = where.read(exposure.meta, EXPORT)
    first = _part(exposure, models, "from", declared.source, None)
    others = [_part(exposure, models, f"with.{name}", name, key) for name, key in declared.joined.items()]
    for part in others:
        if part.key not in part.columns or part.key not in first.columns:
            raise where.wrong(f"with.{part.name}", f"{part.key} is not a column of both {first.name} and {part.name}")
    if declared.date not in first.columns:
        raise where.wrong("date", f"{declared.date} is not a column of {first.name}")
    if not first.has_visibility:
        raise where.wrong("from", f"{first.name} has no visibility")
    plain = Definition(exposure.name, exposure.description, declared.kind, (first, *others), declared.date)
    if isinstance(declared, RowsExport):
        return replace(plain, columns=_leaving(where, plain.parts, declared.columns))
    return _with_cells(where, plain, declared)


def _where(exposure: Exposure) -> Declaration:
    return Declaration(exposure.file, f"export {exposure.name}", "export")


def _part(exposure: Exposure, models: Mapping[str, dict[str, Any]], path: str, name: str, key: str | None) -> Part:
    where = _where(exposure)
    if name not in models or name not in exposure.depends_on:
        raise where.wrong(path, f"{name} is not a model in depends_on")
    node = models[name]
    columns = {c["name"]: _column(where, path, name, c) for c in node["columns"].values()}
    if "organization_id" not in columns:
        raise where.wrong(path, f"{name} has no organization_id")
    retention = node["config"]["meta"].get("retention") or {}
    return Part(name, node["schema"], node["alias"], columns, retention.get("class"), key)


def _column(where: Declaration, path: str, part: str, column: dict[str, Any]) -> Column:
    pii = column["config"]["meta"].get("pii", "none")
    if pii not in get_args(Pii):
        known = ", ".join(get_args(Pii))
        raise where.wrong(path, f"meta.pii of {part}.{column['name']} is {pii}, and must be one of {known}")
    return Column(column["name"], column["data_type"], pii)


def _leaving(where: Declaration, parts: tuple[Part, ...], names: list[str]) -> dict[str, tuple[Part, Column]]:
    """The listed columns, each of the first part that has it."""
    found: dict[str, tuple[Part, Column]] = {}
    for name in names:
        part = next((part for part in parts if name in part.columns), None)
        if part is None:
            raise where.wrong("columns", f"{name} is not a column of {' or '.join(part.name for part in parts)}")
        if name in found:
            raise where.wrong("columns", f"{name} is listed twice")
        found[name] = part, part.columns[name]
    return found


def _with_cells(where: Declaration, plain: Definition, declared: AggregateExport) -> Definition:
    first = plain.parts[0]
    if first.retention_class != "raw_event":
        raise where.wrong("from", f"{first.name} is not a fact (retention class raw_event), and an aggregate needs one")
    return replace(
        plain,
        dimensions=tuple(_dimension(where, plain.parts, *item) for item in declared.dimensions.items()),
        measures=tuple(Measure(name, measure.type, measure.sql) for name, measure in declared.measures.items()),
        group_size=declared.group_size,
    )


def _dimension(where: Declaration, parts: tuple[Part, ...], name: str, column: str) -> Dimension:
    path = f"dimensions.{name}"
    owner, _, column_name = column.partition(".")
    for part in parts:
        if part.name == owner and column_name in part.columns:
            found = part.columns[column_name]
            if found.pii != "none":
                raise where.wrong(path, f"{column} is personal ({found.pii})")
            return Dimension(name, part, found)
    raise where.wrong(path, f"{column} must be a relation and its column, with a dot between")


def _reference(exposure: Exposure, own: Definition, plain: Mapping[str, Definition], column: str, to: str) -> Reference:
    where, path = _where(exposure), f"refers.{column}"
    name, _, key = to.partition(".")
    target = plain.get(name)
    if target is None or target.kind != "rows":
        raise where.wrong(path, f"{to} must be an export of rows and its column, with a dot between")
    part = next((part for part in target.parts if key in part.columns), None)
    if part is None:
        raise where.wrong(path, f"{to} is not a column of the export {name}")
    if missing := sorted({part.name for part in target.parts} - exposure.depends_on):
        raise where.wrong(path, f"{to} needs {', '.join(missing)} in depends_on")
    if column not in own.columns:
        raise where.wrong(path, f"{column} is not in columns")
    data_type, kind = own.columns[column][1].data_type, part.columns[key].data_type
    if data_type.removesuffix("[]") != kind:
        raise where.wrong(path, f"{column} is {data_type}, and {to} is {kind}")
    return Reference(target, part, key, is_array=data_type != kind)
