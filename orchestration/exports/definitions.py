"""The exports of this project: exposures of dbt whose `config.meta.export` says what leaves (decision D12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.manifest import Exposure, exposures, read_manifest

Kind = Literal["rows", "aggregate"]
Pii = Literal["identifier", "name", "free_text", "birth_date", "key", "none"]

KEYS: dict[str, set[str]] = {
    "rows": {"kind", "from", "with", "date", "without", "refers"},
    "aggregate": {"kind", "from", "with", "date", "dimensions", "group_size", "measures"},
}
NUMBERS = ("integer", "bigint", "numeric")  # what a measure may be, a precision aside


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

    Rows have all columns of all parts but those in `without`; `references` says, by name, which of them name rows of
    another export.
    An aggregate has `measures` for each month and each combination of `dimensions`; `group_size`, an SQL aggregate,
    says how many are behind them.
    """

    name: str
    description: str
    kind: Kind
    parts: tuple[Part, ...]
    date: str
    without: frozenset[str] = frozenset()
    references: Mapping[str, Reference] = field(default_factory=dict)
    dimensions: tuple[Dimension, ...] = ()
    measures: tuple[Measure, ...] = ()
    group_size: str = ""


def load_definitions(settings: Settings) -> dict[str, Definition]:
    """Every export, by name; takes the seconds of `dbt parse` when the manifest is old. Raises InsightsError."""
    return definitions(read_manifest(settings))


def definitions(manifest: dict[str, Any]) -> dict[str, Definition]:
    """Every export of a manifest, by name; raises InsightsError, naming it, for one that cannot be followed."""
    models = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}
    found = exposures(manifest, "export")
    plain = {name: definition(exposure, models) for name, exposure in found.items()}
    return {name: referring(found[name], plain) for name in plain}


def referring(exposure: Exposure, plain: Mapping[str, Definition]) -> Definition:
    """The definition of this exposure, of those in `plain`, with what its columns name (`refers`).

    Raises InsightsError when a column or a row is named that is not there, or that it does not depend on.
    """
    own = plain[exposure.name]
    declared: dict[str, str] = exposure.meta.get("refers") or {}
    references = {column: _reference(exposure, own, plain, column, to) for column, to in declared.items()}
    return replace(own, references=references)


def definition(exposure: Exposure, models: Mapping[str, dict[str, Any]]) -> Definition:
    """One export by itself, without what its columns name of others; `models` are the manifest's, by name.

    Raises InsightsError when it cannot be followed.
    """
    meta = exposure.meta
    kind = meta.get("kind")
    if kind not in KEYS:
        raise _wrong(exposure, f"its kind is {kind}; it must be rows or aggregate")
    unknown = sorted(meta.keys() - KEYS[kind])
    if unknown:
        raise _wrong(exposure, f"{', '.join(unknown)} is no key of {kind}")
    joined: dict[str, str] = meta.get("with") or {}
    parts = (
        _part(exposure, models, meta.get("from"), None),
        *(_part(exposure, models, name, key) for name, key in joined.items()),
    )
    first = parts[0]
    for part in parts[1:]:
        if part.key not in part.columns or part.key not in first.columns:
            raise _wrong(exposure, f"{part.key} is not a column of both {first.name} and {part.name}")
    if meta.get("date") not in first.columns:
        raise _wrong(exposure, f"its date is {meta.get('date')}, which is no column of {first.name}")
    if not first.has_visibility:
        raise _wrong(exposure, f"{first.name} has no visibility")
    without = frozenset(meta.get("without") or ())
    if unknown := sorted(without - {name for part in parts for name in part.columns}):
        raise _wrong(exposure, f"{', '.join(unknown)} in without is no column of it")
    dimensions = tuple(_dimension(exposure, parts, *item) for item in (meta.get("dimensions") or {}).items())
    measures = tuple(_measure(exposure, *item) for item in (meta.get("measures") or {}).items())
    group_size = meta.get("group_size", "")
    if kind == "aggregate" and not (measures and group_size and first.retention_class == "raw_event"):
        raise _wrong(exposure, "an aggregate needs measures, a group_size, and a fact (retention class raw_event)")
    return Definition(
        exposure.name,
        exposure.description,
        kind,
        parts,
        meta["date"],
        without,
        dimensions=dimensions,
        measures=measures,
        group_size=group_size,
    )


def _part(exposure: Exposure, models: Mapping[str, dict[str, Any]], name: str | None, key: str | None) -> Part:
    if name not in models or name not in exposure.depends_on:
        raise _wrong(exposure, f"{name} is no model that it depends on")
    node = models[name]
    columns = {c["name"]: _column(exposure, name, c) for c in node["columns"].values()}
    if "organization_id" not in columns:
        raise _wrong(exposure, f"{name} has no organization_id")
    retention = node["config"]["meta"].get("retention") or {}
    return Part(name, node["schema"], node["alias"], columns, retention.get("class"), key)


def _column(exposure: Exposure, part: str, column: dict[str, Any]) -> Column:
    pii = column["config"]["meta"].get("pii", "none")
    if pii not in get_args(Pii):
        raise _wrong(exposure, f"meta.pii of {part}.{column['name']} is {pii}; known are {', '.join(get_args(Pii))}")
    return Column(column["name"], column["data_type"], pii)


def _dimension(exposure: Exposure, parts: tuple[Part, ...], name: str, column: str) -> Dimension:
    owner, _, column_name = column.partition(".")
    for part in parts:
        if part.name == owner and column_name in part.columns:
            found = part.columns[column_name]
            if found.pii != "none":
                raise _wrong(exposure, f"its dimension {name} is personal ({found.pii})")
            return Dimension(name, part, found)
    raise _wrong(
        exposure, f"its dimension {name} is {column}; it must be a relation and its column, with a dot between"
    )


def _reference(exposure: Exposure, own: Definition, plain: Mapping[str, Definition], column: str, to: str) -> Reference:
    name, _, key = to.partition(".")
    target = plain.get(name)
    if target is None or target.kind != "rows":
        raise _wrong(
            exposure, f"{column} refers to {to}; it must be an export of rows and its column, with a dot between"
        )
    part = next((part for part in target.parts if key in part.columns), None)
    if part is None:
        raise _wrong(exposure, f"{column} refers to {to}, which is no column of the export {name}")
    if missing := sorted({part.name for part in target.parts} - exposure.depends_on):
        raise _wrong(exposure, f"{column} refers to {to}, and it does not depend on {', '.join(missing)}")
    naming = next((part.columns[column] for part in own.parts if column in part.columns), None)
    if naming is None or column in own.without:
        raise _wrong(exposure, f"{column} in refers is no column of it")
    kind = part.columns[key].data_type
    if naming.data_type.removesuffix("[]") != kind:
        raise _wrong(exposure, f"{column} is {naming.data_type} and refers to {to}, which is {kind}")
    return Reference(target, part, key, is_array=naming.data_type != kind)


def _measure(exposure: Exposure, name: str, says: dict[str, str]) -> Measure:
    if says.keys() != {"type", "sql"}:
        raise _wrong(exposure, f"its measure {name} must have type and sql")
    if not says["type"].startswith(NUMBERS):
        raise _wrong(exposure, f"its measure {name} is {says['type']}; it must be a number")
    return Measure(name, says["type"], says["sql"])


def _wrong(exposure: Exposure, says: str) -> MisconfiguredError:
    return MisconfiguredError(f"models/exposures: the export {exposure.name} cannot be followed: {says}.")
