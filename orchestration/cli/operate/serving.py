"""What `insights status` prints of a serving database: its newest publication, and each published relation."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from orchestration.cli.tables import show_table, write_json, write_records
from orchestration.cli.texts import moment, say_wrapped, warn

if TYPE_CHECKING:
    from orchestration.warehouse.publications import PublishedRelation, ServingStatus

FINDING = ("kind", "name", "state", "rows", "data_before", "at")
HEADER = ("relation", "rows", "as of", "data before (UTC)", "loaded (UTC)", "published (UTC)")


def show_serving(found: ServingStatus, form: str) -> bool:
    """Print the state in a form of output; returns whether it is in order."""
    if form == "json":
        write_json(asdict(found) | {"is_in_order": found.is_in_order, "changed": found.changed})
    elif form == "csv":
        write_records(_findings(found), form)
    else:
        _print(found)
    return found.is_in_order


def _print(found: ServingStatus) -> None:
    """Print tables; what needs attention goes to standard error too."""
    last = found.publication
    if last is None:
        warn("nothing was published here. Run: insights build, then insights publish")
        return
    say_wrapped(
        f"Publication {last.number} of {last.whose} at {moment(last.published_at)}: changes up to"
        f" {moment(last.loaded_through)}, from the snapshot of {moment(last.snapshot_moment)}. Data tests, rejected"
        " rows and drift are where the file is built."
    )
    rows = ((r.name, _rows(r), r.as_of, r.data_up_to, r.loaded_at, r.published_at) for r in found.relations)
    show_table(rows, header=HEADER, title=f"Published in {found.environment}, {moment(found.read_at)}")
    if last.is_late:
        warn("what is published is late. Run: insights snapshot --replace, insights build, then insights publish")
    if found.changed:
        warn(f"other rows than were published: {', '.join(found.changed)}. Run: insights publish")


def _rows(relation: PublishedRelation) -> str:
    stored = "no table" if relation.rows is None else f"{relation.rows:,}"
    return f"{stored} (published: {relation.published_rows:,})" if relation.is_changed else stored


def _findings(found: ServingStatus) -> list[dict[str, object]]:
    """Return the publication and each relation as one record, with the columns of a warehouse's."""
    lines: list[tuple[object, ...]] = []
    if last := found.publication:
        state = "late" if last.is_late else "in time"
        lines.append(("publication", last.number, state, None, last.loaded_through, last.published_at))
    else:
        lines.append(("publication", "", "missing", None, None, None))
    for one in found.relations:
        state = "changed" if one.is_changed else "as published"
        lines.append(("relation", one.name, state, one.rows, one.data_up_to, one.published_at))
    return [dict(zip(FINDING, line, strict=True)) for line in lines]
