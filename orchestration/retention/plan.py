"""What retention does to each relation, as `config.meta.retention` of its yml says: the one place where that stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.manifest import Relation, read_manifest, relations

RetentionClass = Literal["raw_event", "aggregated", "pattern_result"]

CLASSES: tuple[RetentionClass, ...] = get_args(RetentionClass)
KEYS = {"class", "date", "dated_by", "with", "key", "reason"}


@dataclass(frozen=True)
class Retained:
    """One relation with dated rows.

    `date` is the column that decides: rows before the cutoff leave. It is the relation's own (date or timestamptz), or
    that of the view `dated_by`, joined by `key`; a row that the view lacks leaves. A relation that goes `with` another
    loses the rows of the same `key` in the same transaction, and then what its own date puts before the cutoff.
    """

    relation: Relation
    retention_class: RetentionClass
    date: str | None = None
    dated_by: Relation | None = None
    goes_with: str | None = None
    key: str | None = None


def retention_plan(project: Mapping[str, Relation]) -> list[Retained]:
    """Every relation that a purge looks at, in the order of purging.

    What others go with comes first, then their stragglers, then what a view dates by what is left. Raises
    MisconfiguredError for a declaration that cannot be followed, naming the relation.
    """
    plan = [_retained(relation, project) for relation in project.values() if _declared(relation)]
    return sorted(plan, key=lambda r: (_turn(r), CLASSES.index(r.retention_class), r.relation.name))


def load_plan(settings: Settings) -> list[Retained]:
    """The plan of this project; takes the seconds that `dbt parse` takes. Raises InsightsError as its parts do."""
    return retention_plan(relations(read_manifest(settings)))


def _turn(retained: Retained) -> int:
    if retained.date is None:
        return 3
    return 2 if retained.dated_by else 0 if retained.goes_with is None else 1


def _declared(relation: Relation) -> dict[str, Any]:
    declared: dict[str, Any] = relation.meta.get("retention") or {}
    if declared.get("class") == "none":
        if not declared.get("reason"):
            raise _wrong(relation, "class none needs a reason")
        return {}
    return declared


def _retained(relation: Relation, project: Mapping[str, Relation]) -> Retained:
    declared = _declared(relation)
    unknown = sorted(declared.keys() - KEYS)
    if unknown:
        raise _wrong(relation, f"{', '.join(unknown)} is no key of it")
    goes_with, dated_by, date, key = (declared.get(name) for name in ("with", "dated_by", "date", "key"))
    leader = project.get(goes_with) if goes_with else None
    if goes_with and (
        leader is None or not {"class", "key"} <= _declared(leader).keys() or "with" in _declared(leader)
    ):
        raise _wrong(
            relation, f"it goes with {goes_with}, which must have a class and a key and go with nothing itself"
        )
    if dated_by and dated_by not in project:
        raise _wrong(relation, f"dated_by names {dated_by}, which is no model")
    if (goes_with or dated_by) and not key:
        raise _wrong(relation, "with and dated_by need a key")
    if not date and (dated_by or not goes_with):
        raise _wrong(relation, "it needs a date")
    retention_class = declared.get("class", _declared(leader).get("class") if leader else None)
    if retention_class not in CLASSES:
        raise _wrong(relation, f"its class is {retention_class}; it must be none or one of {', '.join(CLASSES)}")
    return Retained(relation, retention_class, date, project[dated_by] if dated_by else None, goes_with, key)


def _wrong(relation: Relation, problem: str) -> MisconfiguredError:
    return MisconfiguredError(f"config.meta.retention of {relation.name} cannot be followed: {problem}.")
