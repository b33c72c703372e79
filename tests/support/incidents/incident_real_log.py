"""Expected results of importing the published incident log, computed with the csv module alone."""

import csv
import io
import os
import zipfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from support.incidents.incident_files import Row

PATH = Path(
    os.environ.get("INSIGHTS_INCIDENT_LOG") or Path(__file__).parents[4] / "shared" / "data" / "incident_event_log.zip"
)
STATUS = {
    "New": "PENDING",
    "Active": "IN_PROGRESS",
    "Resolved": "IN_PROGRESS",
    "Closed": "COMPLETED",
    "Awaiting User Info": "ON_HOLD",
    "Awaiting Vendor": "ON_HOLD",
    "Awaiting Problem": "ON_HOLD",
    "Awaiting Evidence": "ON_HOLD",
}


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


class RealLog:
    """The published log: `rows` in file order, and `histories` of accepted rows by number, in update order."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive, archive.open("incident_event_log.csv") as stream:
            self.rows: list[Row] = list(csv.DictReader(io.TextIOWrapper(stream, "utf-8", newline="")))
        self.histories: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["incident_state"] in STATUS:
                self.histories[row["number"]].append(row)
        for history in self.histories.values():
            history.sort(key=lambda row: (moment(row["sys_updated_at"]), int(row["sys_mod_count"])))

    def names(self, *columns: str) -> set[str]:
        accepted = (row for history in self.histories.values() for row in history)
        return {" ".join(row[column].split()) for row in accepted for column in columns} - {"?"}

    @cached_property
    def cases(self) -> set[str]:
        """Return the numbers of incidents that were reopened, or reassigned at least three times."""
        return {
            number
            for number, history in self.histories.items()
            if any(int(row["reopen_count"]) >= 1 or int(row["reassignment_count"]) >= 3 for row in history)
        }

    @cached_property
    def event_types(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for history in self.histories.values():
            found["created"] += 1
            for before, row in pairwise(history):
                found[_event_type(before, row)] += 1
        return found


def _event_type(before: Row, row: Row) -> str:
    if STATUS[before["incident_state"]] != STATUS[row["incident_state"]]:
        return "status_changed"
    if any(before[column] != row[column] for column in ("assignment_group", "assigned_to")):
        return "ownership_changed"
    return "priority_changed" if before["priority"] != row["priority"] else "metadata_updated"


def first_response(history: list[Row]) -> float | None:
    """Return the seconds until the first later row that leaves the state New or changes group or assignee."""
    opened = moment(history[0]["opened_at"])
    for before, row in pairwise(history):
        was, now = STATUS[before["incident_state"]], STATUS[row["incident_state"]]
        is_reassigned = was == now and any(
            before[column] != row[column] for column in ("assignment_group", "assigned_to")
        )
        responds = (was == "PENDING" and now != "PENDING") or is_reassigned
        if responds and moment(row["sys_updated_at"]) > opened:
            return (moment(row["sys_updated_at"]) - opened).total_seconds()
    return None
