"""Reads how rows of each relation are purged, which is declared only in `config.meta.retention` of its yml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field, TypeAdapter

from orchestration.config.files import Settings
from orchestration.config.tokens import Section, Text
from orchestration.manifest import Relation, read_manifest, relations
from orchestration.meta import Declaration

RetentionClass = Literal["raw_event", "aggregated", "pattern_result"]

CLASSES: tuple[RetentionClass, ...] = get_args(RetentionClass)


class Retention(Section):
    """`config.meta.retention` of a relation (docs/meta-keys.md)."""

    retention_class: Literal[RetentionClass, "none"] | None = Field(alias="class", default=None)
    date: Text | None = None
    dated_by: Text | None = None
    goes_with: Text | None = Field(alias="with", default=None)
    reason: Text | None = Field(default=None, description="Class none only: why its rows are kept for ever.")


RETENTION = TypeAdapter(Retention)


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
    purged = {name: meta for name, meta in declared.items() if meta.retention_class != "none"}
    plan = [_retained(project[name], project, purged) for name in purged]
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


def _declared(relation: Relation) -> Retention:
    where = _where(relation)
    declared = where.read(relation.meta["retention"], RETENTION)
    if declared.retention_class == "none" and not declared.reason:
        raise where.wrong("reason", "class none needs a reason")
    return declared


def _retained(relation: Relation, project: Mapping[str, Relation], purged: Mapping[str, Retention]) -> Retained:
    where, declared = _where(relation), purged[relation.name]
    leader = purged.get(declared.goes_with) if declared.goes_with else None
    if declared.goes_with and not (leader and leader.retention_class and not leader.goes_with):
        raise where.wrong("with", f"{declared.goes_with} must have a class, and no `with` of its own")
    if declared.dated_by and declared.dated_by not in project:
        raise where.wrong("dated_by", f"{declared.dated_by} is not a model")
    keyed = project[declared.goes_with] if declared.goes_with else relation
    if (declared.goes_with or declared.dated_by) and not keyed.key:
        named = "with" if declared.goes_with else "dated_by"
        raise where.wrong(named, f"{keyed.name} must have a unique_key in the config of its model")
    if not declared.date and (declared.dated_by or not declared.goes_with):
        raise where.wrong("date", "this key is missing")
    retention_class = declared.retention_class or (leader.retention_class if leader else None)
    if retention_class is None or retention_class == "none":
        raise where.wrong("class", f"must be none or one of {', '.join(CLASSES)}")
    dated_by = project[declared.dated_by] if declared.dated_by else None
    return Retained(relation, retention_class, declared.date, dated_by, declared.goes_with, keyed.key)
