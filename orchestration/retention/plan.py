"""Reads how rows of each relation are purged, which is declared only in `config.meta.retention` of its yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Field, Tag, TypeAdapter

from orchestration.config.files import Settings
from orchestration.config.tokens import Section, Text
from orchestration.manifest import Relation, read_manifest, relations
from orchestration.meta import Declaration

RetentionClass = Literal["raw_event", "aggregated", "pattern_result"]

CLASSES: tuple[RetentionClass, ...] = get_args(RetentionClass)


class Kept(Section):
    """A relation that keeps its rows forever."""

    retention_class: Literal["none"] = Field(alias="class")
    reason: Text = Field(description="Why its rows are kept forever.")


class Dated(Section):
    """A relation whose own rows, or a view with its `unique_key`, have the date that decides."""

    retention_class: RetentionClass = Field(alias="class")
    date: Text
    dated_by: Text | None = None


class Following(Section):
    """A relation whose rows leave with those of another; it has that relation's class unless it names one."""

    retention_class: RetentionClass | None = Field(alias="class", default=None)
    date: Text | None = None
    goes_with: Text = Field(alias="with")


def _shape(declared: object) -> str:
    if not isinstance(declared, dict) or declared.get("class") == "none":
        return "shape_kept"
    return "shape_following" if "with" in declared else "shape_dated"


# `config.meta.retention` of a relation (docs/meta-keys.md). The tags are no keys of the declaration.
Retention = Annotated[
    Annotated[Kept, Tag("shape_kept")]
    | Annotated[Dated, Tag("shape_dated")]
    | Annotated[Following, Tag("shape_following")],
    Discriminator(_shape),
]
RETENTION: TypeAdapter[Kept | Dated | Following] = TypeAdapter(Retention)


@dataclass(frozen=True)
class Retained:
    """How one relation is purged.

    Rows with a `date` before the cutoff are deleted. The column is the relation's own (date or timestamptz), or that of
    the view `dated_by`, joined by `key`; a row that the view lacks is deleted. If a relation `goes_with` another, the
    rows with the keys deleted there are deleted in the same transaction, and then those before its own cutoff.
    `key` is the unique_key of the model, or of the model that it goes with.
    """

    relation: Relation
    retention_class: RetentionClass
    date: str | None = None
    dated_by: Relation | None = None
    goes_with: str | None = None
    key: tuple[str, ...] = ()


def retention_plan(project: Mapping[str, Relation]) -> list[Retained]:
    """Return the relations to purge, in order.

    Relations that others go with come first, then those others, then relations dated by a view, since its dates depend
    on the rows that are left. Raises MisconfiguredError, with file, relation and key, for an invalid declaration.
    """
    declared = {name: _declared(relation) for name, relation in project.items() if "retention" in relation.meta}
    dated = {name: meta for name, meta in declared.items() if isinstance(meta, Dated)}
    plan = [_dated(project[name], meta, project) for name, meta in dated.items()]
    plan += [
        _following(project[name], meta, project, dated)
        for name, meta in declared.items()
        if isinstance(meta, Following)
    ]
    return sorted(plan, key=lambda r: (_turn(r), CLASSES.index(r.retention_class), r.relation.name))


def load_plan(settings: Settings) -> list[Retained]:
    """Return the plan of this project; runs `dbt parse`, which takes seconds, if the manifest is old.

    Raises MisconfiguredError like `retention_plan` and FailedError like `read_manifest`.
    """
    return retention_plan(relations(read_manifest(settings)))


def _turn(retained: Retained) -> int:
    if retained.date is None:
        return 3
    return 2 if retained.dated_by else 0 if retained.goes_with is None else 1


def _where(relation: Relation) -> Declaration:
    return Declaration(relation.file, f"relation {relation.name}", "retention")


def _declared(relation: Relation) -> Kept | Dated | Following:
    return _where(relation).read(relation.meta["retention"], RETENTION)


def _dated(relation: Relation, declared: Dated, project: Mapping[str, Relation]) -> Retained:
    view = None
    if declared.dated_by:
        view = project.get(declared.dated_by)
        if view is None:
            raise _where(relation).wrong("dated_by", f"{declared.dated_by} is not a model")
        _check_key(relation, relation, "dated_by")
    return Retained(relation, declared.retention_class, declared.date, view, None, relation.key)


def _following(
    relation: Relation, declared: Following, project: Mapping[str, Relation], dated: Mapping[str, Dated]
) -> Retained:
    leader = dated.get(declared.goes_with)
    if leader is None:
        says = f"{declared.goes_with} must have a class, and no `with` of its own"
        raise _where(relation).wrong("with", says)
    followed = project[declared.goes_with]
    _check_key(relation, followed, "with")
    retention_class = declared.retention_class or leader.retention_class
    return Retained(relation, retention_class, declared.date, None, declared.goes_with, followed.key)


def _check_key(relation: Relation, keyed: Relation, named: str) -> None:
    if not keyed.key:
        raise _where(relation).wrong(named, f"{keyed.name} must have a unique_key in the config of its model")
