"""What a run waits for, and why it does nothing in an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from orchestration.config.files import Settings
from orchestration.errors import InsightsError, NotBuiltError
from orchestration.flows import Gate, Marts
from orchestration.manifest import marts
from orchestration.warehouse.clock import check_as_of
from orchestration.warehouse.database import Database
from orchestration.warehouse.loads import check_source, missing_loads, newest_loads
from orchestration.warehouse.source.guard import Confirmed, check_source_rows
from orchestration.warehouse.source.silence import silent
from orchestration.warehouse.unknown_names import unknown_names


@dataclass(frozen=True)
class Needs:
    """What a gate needs: a load of each of `loaded` as of the run's `as_of` or later, and any load of `present`.

    `loaders` has by relation the key of the job that loads it. Without `loaded`, the operational tables must be
    readable. With `checks_rows`, the source must not have lost too many rows.
    """

    loaded: Sequence[str] = ()
    loaders: Mapping[str, str] = field(default_factory=dict)
    present: Sequence[str] = ()
    checks_rows: bool = False

    @classmethod
    def of(cls, gate: Gate, key: str, manifest: Mapping[str, Any]) -> Needs:
        """Return the relations that a gate of the job `key` names; marts of the job itself need not be present."""

        def names(chosen: Marts) -> list[str]:
            return marts(manifest, dag=chosen.dag, folder=chosen.folder)

        own = marts(manifest, dag=key)
        return cls(
            loaded=[name for one in gate.loaded for name in names(one)],
            loaders={name: one.dag for one in gate.loaded if one.dag for name in names(one)},
            present=[name for one in gate.present for name in names(one) if name not in own],
            checks_rows=gate.checks_rows,
        )


def lacking(settings: Settings, needs: Needs, as_of: date, confirmed: Confirmed) -> str | None:
    """Return what is missing as a sentence, None if nothing; raises InsightsError for what waiting cannot fix.

    Raises NotBuiltError if one of `present` was never loaded, or if a load is missing whose job is not enabled, so that
    none will come.
    """
    try:
        with Database.open(settings) as db:
            check_as_of(db, as_of)
            if not needs.loaded:
                check_source(db)
            if needs.checks_rows:
                check_source_rows(db, as_of, confirmed)
            loads = newest_loads(db, {*needs.loaded, *needs.present})
    except InsightsError as error:
        if error.is_transient:
            return str(error)
        raise
    if never := missing_loads(loads, needs.present, None):
        raise NotBuiltError(f"{never} No DAG loads these before this one needs them. Run once: insights build")
    missing = missing_loads(loads, needs.loaded, as_of)
    late = {key for name, key in needs.loaders.items() if missing_loads(loads, [name], as_of)}
    if disabled := sorted(settings.dags[key].id for key in late if not settings.is_enabled(key)):
        raise NotBuiltError(
            f"{missing} {_none_will_come(disabled, settings.environment)} (config/insights/dags.yaml)."
            " Run: insights build"
        )
    return missing


def notices(settings: Settings, needs: Needs) -> list[str]:
    """Return what a load should say before it begins, none of which stops it.

    That Orgo may have stopped writing (decision D255), and unknown names in the configuration (decision D268).
    """
    if not needs.checks_rows:
        return []
    looks: dict[str, Callable[[Database], Sequence[object]]] = {
        "Whether Orgo still writes": silent,
        "Whether Orgo has what the configuration names": unknown_names,
    }
    found: list[str] = []
    for question, look in looks.items():
        try:
            with Database.open(settings) as db:
                found += map(str, look(db))
        except InsightsError as error:
            found.append(f"{question} is not known: {error}")
    return found


def _none_will_come(dag_ids: Sequence[str], environment: str) -> str:
    if len(dag_ids) == 1:
        return f"None will come, because {dag_ids[0]} is not enabled in {environment}"
    return f"None will come, because these DAGs are not enabled in {environment}: {', '.join(dag_ids)}"


def skip_reason(settings: Settings, key: str) -> str | None:
    """Return why a job does nothing in this environment (decision D9); None if it is enabled."""
    if settings.is_enabled(key):
        return None
    if settings.environment == "offline":
        return "No DAG runs in offline: insights.offline.enabled in config/insights/config.yaml is false."
    dag = settings.dags[key]
    return (
        f"{dag.id} is not enabled in {settings.environment}; config/insights/dags.yaml enables it in"
        f" {', '.join(dag.enabled_environments)}. The command insights does the same work by hand."
    )
