"""Reads and checks the exports that exposures declare in `config.meta.export` (decision D12; docs/exports.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from orchestration.config.files import Settings
from orchestration.exports.meta import EXPORT, AggregateExport, Kind, RowsExport
from orchestration.manifest import Exposure, exposures, nodes, read_manifest
from orchestration.meta import Declaration

Pii = Literal["identifier", "name", "free_text", "birth_date", "key", "none"]


@dataclass(frozen=True)
class Column:
    """A column of a mart: its PostgreSQL type, and its `meta.pii` (default: `none`)."""

    name: str
    data_type: str
    pii: Pii = "none"

    @property
    def is_withheld(self) -> bool:
        """Whether the role of exports reads it masked only (decision D174)."""
        return self.pii not in ("key", "none")


@dataclass(frozen=True)
class Part:
    """A relation that an export reads. `key` is the column that joins it to the first relation, which has none."""

    name: str
    schema: str
    identifier: str
    columns: dict[str, Column]
    retention_class: str | None = None
    key: str | None = None

    @property
    def has_visibility(self) -> bool:
        """Whether its rows have a visibility."""
        return "visibility" in self.columns


@dataclass(frozen=True)
class Dimension:
    """A dimension of cells: its name and the column that it reads."""

    name: str
    part: Part
    column: Column


@dataclass(frozen=True)
class Measure:
    """A measure of cells: an SQL aggregate and its type."""

    name: str
    data_type: str
    sql: str


@dataclass(frozen=True)
class Reference:
    """The rows of another export that a column refers to, by column `key` of relation `part`: one row, or an array."""

    export: Definition
    part: Part
    key: str
    is_array: bool

    @property
    def text(self) -> str:
        """The reference as declared, such as `cases.case_id`."""
        return f"{self.export.name}.{self.key}"


@dataclass(frozen=True)
class Definition:
    """One export. The first of `parts` is the relation whose column `date` the requested range restricts.

    An export of rows has `columns` by name in the file, in order, each with its part; `references` are those that refer
    to rows of another export. An aggregate has `measures` for each month and combination of `dimensions`; `group_size`
    is an SQL aggregate that counts the members of a cell.
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

    @property
    def column_names(self) -> list[str]:
        """The names of the columns of the file, in order."""
        if self.kind == "rows":
            return list(self.columns)
        return ["month", *(d.name for d in self.dimensions), "visibility", *(m.name for m in self.measures)]

    @property
    def masked_parts(self) -> set[str]:
        """The names of the relations of which a withheld column leaves."""
        return {part.name for part, column in self.columns.values() if column.is_withheld}


def load_definitions(settings: Settings) -> dict[str, Definition]:
    """Return every export by name; runs `dbt parse`, which takes seconds, if the manifest is old.

    Raises MisconfiguredError like `definitions`, and FailedError like `read_manifest`.
    """
    return definitions(read_manifest(settings))


def definitions(manifest: dict[str, Any]) -> dict[str, Definition]:
    """Return every export of a manifest by name.

    Raises MisconfiguredError, with file, export and key, for an invalid declaration.
    """
    models = {n["name"]: n for n in nodes(manifest) if n["resource_type"] == "model"}
    found = exposures(manifest, "export")
    plain = {name: definition(exposure, models) for name, exposure in found.items()}
    return {name: referring(found[name], plain) for name in plain}


def referring(exposure: Exposure, plain: Mapping[str, Definition]) -> Definition:
    """Return the definition of an exposure, from `plain`, with the references of its columns (`refers`).

    Raises MisconfiguredError if a reference is unknown, or is to a relation that is not in `depends_on`.
    """
    own = plain[exposure.name]
    declared: dict[str, str] = exposure.meta.get("refers", {})
    references = {column: _reference(exposure, own, plain, column, to) for column, to in declared.items()}
    return replace(own, references=references)


def definition(exposure: Exposure, models: Mapping[str, dict[str, Any]]) -> Definition:
    """Return one export without its references to others; `models` are those of the manifest by name.

    Raises MisconfiguredError for an invalid declaration.
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
        return replace(plain, columns=_leaving(where, plain.parts, declared.columns, declared.instead))
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
        raise where.wrong(path, f"meta.pii of {part}.{column['name']} is {pii}; it must be one of {known}")
    return Column(column["name"], column["data_type"], pii)


def _leaving(
    where: Declaration, parts: tuple[Part, ...], names: list[str], instead: Mapping[str, str]
) -> dict[str, tuple[Part, Column]]:
    """Return the listed columns, each with the first part that has it and the column that has its values."""
    found: dict[str, tuple[Part, Column]] = {}
    for name in names:
        part = next((part for part in parts if name in part.columns), None)
        if part is None:
            raise where.wrong("columns", f"{name} is not a column of {' or '.join(part.name for part in parts)}")
        if name in found:
            raise where.wrong("columns", f"{name} is listed twice")
        found[name] = part, part.columns[name]
    for name, other in instead.items():
        if name not in found:
            raise where.wrong(f"instead.{name}", f"{name} is not in columns")
        part, column = found[name]
        same = part.columns.get(other)
        if same is None or (same.data_type, same.pii) != (column.data_type, column.pii):
            raise where.wrong(
                f"instead.{name}", f"{other} is not a column of {part.name} with the type and pii of {name}"
            )
        found[name] = part, same
    return found


def _with_cells(where: Declaration, plain: Definition, declared: AggregateExport) -> Definition:
    first = plain.parts[0]
    if first.retention_class != "raw_event":
        raise where.wrong("from", f"{first.name} must be a fact (retention class raw_event) in an export of aggregates")
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
                raise where.wrong(path, f"{column} is personal data ({found.pii}), and a dimension must not be")
            return Dimension(name, part, found)
    raise where.wrong(path, f"{column} must be relation.column, with a relation of this export")


def _reference(exposure: Exposure, own: Definition, plain: Mapping[str, Definition], column: str, to: str) -> Reference:
    where, path = _where(exposure), f"refers.{column}"
    name, _, key = to.partition(".")
    target = plain.get(name)
    if target is None or target.kind != "rows":
        raise where.wrong(path, f"{to} must be export.column, with an export of rows")
    part = next((part for part in target.parts if key in part.columns), None)
    if part is None:
        raise where.wrong(path, f"{to} is not a column of the export {name}")
    if missing := sorted({part.name for part in target.parts} - exposure.depends_on):
        raise where.wrong(path, f"{to} needs {', '.join(missing)} in depends_on")
    if column not in own.columns:
        raise where.wrong(path, f"{column} is not in columns")
    data_type, kind = own.columns[column][1].data_type, part.columns[key].data_type
    if data_type.removesuffix("[]") != kind:
        raise where.wrong(path, f"{column} is {data_type}, but {to} is {kind}; the types must be equal")
    return Reference(target, part, key, is_array=data_type != kind)
