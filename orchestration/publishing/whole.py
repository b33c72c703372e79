"""Whether a file is one state: everything that is published was loaded from one snapshot, as of one day (D279)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from orchestration.errors import NotBuiltError
from orchestration.manifest import nodes
from orchestration.publishing.source import Loaded, Origin, Source
from orchestration.source_snapshot.description import read_description
from orchestration.source_snapshot.folder import unchanged

MOST_NAMES = 5  # relations that a message lists


def needed_relations(manifest: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """Return the names of these relations, and of all that they are made from."""
    known = {node["unique_id"]: node for node in nodes(manifest)}
    found: set[str] = set()
    waiting = [unique_id for unique_id, node in known.items() if node["name"] in names]
    while waiting:
        if (unique_id := waiting.pop()) in known and unique_id not in found:
            found.add(unique_id)
            waiting += known[unique_id]["depends_on"].get("nodes", [])
    return {known[unique_id]["name"] for unique_id in found}


@contextmanager
def unchanged_snapshot(origin: Origin) -> Iterator[None]:
    """Keep the snapshot, which views of the file read, from being replaced during a block.

    Raises NotBuiltError if it was replaced after the newest load, and like `unchanged` and `read_description`.
    """
    with unchanged(origin.folder):
        found = read_description(origin.folder).moment
        if datetime.fromisoformat(found) != datetime.fromisoformat(origin.moment):
            raise NotBuiltError(
                f"The file was loaded from the snapshot of {origin.moment}, and {origin.folder} has another one now, of"
                f" {found}: views would read it beside tables of the former. Run: insights build"
            )
        yield


def check_whole(source: Source, needed: Collection[str], snapshot: str) -> None:
    """Raise NotBuiltError if relations of the file are of different loads, with their names and what each is of.

    `snapshot` is the moment of the newest one, a text in UTC: views read it, so every load must be of it.
    """
    found = source.newest_loads(needed)
    newest = Loaded(max((load.as_of for load in found.values()), default=""), snapshot)
    of_load: dict[Loaded, list[str]] = defaultdict(list)
    for name, load in sorted(found.items()):
        of_load[load].append(name)
    if others := {load: names for load, names in of_load.items() if load != newest}:
        listed = ". ".join(f"Loaded {load}: {_listed(names)}" for load, names in sorted(others.items()))
        raise NotBuiltError(
            f"Relations of the file are of different loads, because a build of it left out or skipped some models:"
            f" dashboards would mix them. The newest load is {newest}. {listed}. Run, with all models: insights build"
        )


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
