"""What a file that was built anew no longer has: reviews and months that only their own load could count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from orchestration.errors import RefusedError
from orchestration.manifest import Relation
from orchestration.publishing.definitions import Definition
from orchestration.publishing.serving import Published
from orchestration.publishing.source import LOADS, Source
from orchestration.warehouse.database import Database

# Classes of retention whose rows are kept from load to load, and cannot be made again from the source.
KEPT_CLASSES = ("aggregated", "pattern_result")


@dataclass(frozen=True)
class Kept:
    """A relation whose rows are kept from load to load, of which another file was published; `date` dates its rows."""

    definition: Definition
    former: Published
    date: str


def built_anew(
    definitions: Iterable[Definition],
    models: Mapping[str, Relation],
    known: Mapping[str, Published],
    loads: Iterable[tuple[Any, ...]],
) -> list[Kept]:
    """Return the relations that keep rows, and whose published load the file does not have.

    A file that has that load continues it, and what it lacks has left by a rule.
    """
    logged = {(load[0], load[LOADS.index("invocation_id")]) for load in loads}
    found = []
    for definition in definitions:
        former, retention = known.get(definition.name), models[definition.name].meta.get("retention", {})
        is_kept = retention.get("class") in KEPT_CLASSES
        if former and is_kept and (definition.name, former.invocation_id) not in logged:
            found.append(Kept(definition, former, retention["date"]))
    return found


def check_history(db: Database, source: Source, kept: Iterable[Kept]) -> None:
    """Raise RefusedError if the serving database has periods of a relation that the file lacks."""
    for one in kept:
        table = sql.Identifier(*one.former.place)
        if db.missing({one.definition.name: table}):
            continue
        query = sql.SQL("select distinct {}::text from {}").format(sql.Identifier(one.date), table)
        if lost := sorted({period for (period,) in db.rows(query)} - source.values(one.definition, one.date)):
            raise RefusedError(
                f"The file was built anew, and lacks {len(lost)} of the periods of {one.definition.name} that are"
                f" served ({lost[0]} to {lost[-1]}): nothing can count them again. To delete them here, run: insights"
                " publish --yes"
            )
