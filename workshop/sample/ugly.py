"""Turn an exact number of sample rows into ugly rows: malformed data as deployed databases contain it.

No task or case is ugly in two ways. UGLY defines the number of rows per kind; docs/sample.md lists the kinds, and
tests count each with independent SQL.
"""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from itertools import cycle, islice
from typing import NamedTuple

from orchestration.errors import FailedError
from workshop.sample.cases import CASES_WITHOUT_TASKS
from workshop.sample.people import SHADOWING_LABELS
from workshop.sample.rows import Row, Rows
from workshop.sample.scenario import LOBBY, SAFETY
from workshop.sample.work import TERMINAL

UNPARSABLE_LABELS = (
    *("", "   ", "7.x", "wet floor", "n/a", "100", "100.9", "100-94-Operations", "A.94.Operations"),
    "100.04.Operations",  # no category 0
    "100.96.Operations",  # no subcategory 6
)
GARBAGE_METADATA = ("not json", '{"channel": "email"', "{'channel': 'email'}", "<null/>")


class Replacement(NamedTuple):
    """Replace `old` (None: any value) in a column of `rows` rows of a table by the values of `new` in turn."""

    table: str
    column: str
    old: str | None
    new: tuple[str | None, ...]
    rows: int


REPLACEMENTS = {
    "task_label_unparsable": Replacement("tasks", "label", None, UNPARSABLE_LABELS, 33),
    "case_label_unparsable": Replacement("cases", "label", None, UNPARSABLE_LABELS[2:7], 5),
    "task_metadata_null": Replacement("tasks", "metadata", None, (None,), 8),
    "task_metadata_empty_text": Replacement("tasks", "metadata", None, ("",), 8),
    "task_metadata_empty_object": Replacement("tasks", "metadata", None, ("{}",), 8),
    "task_metadata_garbage": Replacement("tasks", "metadata", None, GARBAGE_METADATA, 8),
    "task_severity_info": Replacement("tasks", "severity", "MINOR", ("info",), 40),
    "task_source_ui": Replacement("tasks", "source", "manual", ("ui",), 30),
    "task_source_import": Replacement("tasks", "source", "sync", ("import",), 20),
    "task_source_insight": Replacement("tasks", "source", "api", ("insight",), 10),
    "case_severity_info": Replacement("cases", "severity", "MINOR", ("info",), 8),
    "case_source_email_thread": Replacement("cases", "source_type", "email", ("email_thread",), 15),
    "task_status_unknown": Replacement("tasks", "status", "ON_HOLD", ("WAITING_FOR_PARTS",), 5),
    "task_priority_unknown": Replacement("tasks", "priority", "HIGH", ("URGENT",), 5),
    "task_severity_unknown": Replacement("tasks", "severity", "MAJOR", ("SEVERE",), 5),
    "task_visibility_unknown": Replacement("tasks", "visibility", "INTERNAL", ("CONFIDENTIAL",), 5),
    "task_source_unknown": Replacement("tasks", "source", "api", ("fax",), 4),
    "case_metadata_null": Replacement("cases", "metadata", None, (None,), 5),
}

UGLY: dict[str, int] = {
    **{kind: replacement.rows for kind, replacement in REPLACEMENTS.items()},
    "organization_timezone_null": 1,
    "organization_without_profile": 1,
    "label_shadows_global": sum(len(labels) for labels in SHADOWING_LABELS.values()),
    "task_label_padded": 12,
    "case_label_padded": 2,
    "task_closed_before_created": 10,
    "task_closed_at_on_open_status": 10,
    "task_terminal_without_closed_at": 10,
    "case_location_null": 5,
    "case_location_empty_object": 5,
    "case_location_empty_text": 5,
    "case_location_other_key_order": 4,
    "case_visibility_unknown": 4,
    "case_without_tasks": sum(CASES_WITHOUT_TASKS.values()),
    "case_from_insights": 3,
    "event_of_unknown_task": 25,
    "event_before_creation": 12,
    "event_without_values": 6,
    "comment_duplicate": 15,
    "entity_label_of_unknown_entity": 4,
    "checkin_anonymous_with_submitter": 240,
    # Older than the window, so retention removes them.
    "task_before_window": 12,
    "checkin_before_window": 3,
    # At or after AS_OF, so they are not counted yet. The first of each is exactly at AS_OF.
    "task_after_as_of": 6,
    "case_after_as_of": 2,
    "checkin_after_as_of": 5,
    "task_closed_after_as_of": 3,
    "comment_after_as_of": 4,
    "event_after_as_of": 6 + 3 + 4,  # one for each new task, closed task and comment
}

LABEL_PADDINGS = ("{} ", " {}", "  {}  ")


class Pool:
    """Rows that may still be made ugly, in random order."""

    def __init__(self, rows: list[Row], rng: random.Random) -> None:
        """Shuffle a copy of `rows`."""
        self._rows = rng.sample(rows, len(rows))

    def take(self, kind: str, fits: Callable[[Row], bool] = lambda _row: True) -> list[Row]:
        """Remove and return UGLY[kind] rows for which `fits` is true. Raises FailedError when there are too few."""
        taken = list(islice(filter(fits, self._rows), UGLY[kind]))
        if len(taken) < UGLY[kind]:
            raise FailedError(f"The sample has {len(taken)} rows for {kind!r} instead of the {UGLY[kind]} in UGLY.")
        ids = {row["id"] for row in taken}
        self._rows = [row for row in self._rows if row["id"] not in ids]
        return taken


def spoil(rows: Rows, rng: random.Random) -> Pool:
    """Turn some of the generated rows into ugly ones and return the unchanged tasks."""
    with_tasks = {task["case_id"] for task in rows.tables["tasks"]}
    special = (json.dumps(LOBBY), json.dumps({}))
    ordinary = [case for case in rows.tables["cases"] if case["id"] in with_tasks and case["location"] not in special]
    cases, tasks = Pool(ordinary, rng), Pool(rows.tables["tasks"], rng)
    for kind, replacement in REPLACEMENTS.items():
        _replace(kind, replacement, tasks if replacement.table == "tasks" else cases)
    _spoil_tasks(tasks)
    _spoil_cases(rows, cases, rng)
    return tasks


def _replace(kind: str, replacement: Replacement, pool: Pool) -> None:
    column, old = replacement.column, replacement.old
    taken = pool.take(kind, lambda row: old in (None, row[column]))
    for row, value in zip(taken, cycle(replacement.new), strict=False):
        row[column] = value


def _spoil_tasks(tasks: Pool) -> None:
    for row, padding in zip(tasks.take("task_label_padded"), cycle(LABEL_PADDINGS), strict=False):
        row["label"] = padding.format(row["label"])
    for hours, row in enumerate(tasks.take("task_closed_before_created", _is_closed), start=1):
        row["closed_at"] = row["created_at"] - timedelta(hours=hours)
    for row in tasks.take("task_terminal_without_closed_at", _is_closed):
        row["closed_at"] = None
    for row in tasks.take("task_closed_at_on_open_status", lambda row: row["status"] in ("IN_PROGRESS", "ESCALATED")):
        row["closed_at"] = row["updated_at"]


def _spoil_cases(rows: Rows, cases: Pool, rng: random.Random) -> None:
    wet_floor = (f"1001.{SAFETY.tail}", json.dumps(LOBBY))
    lobby = Pool([row for row in rows.tables["cases"] if (row["label"], row["location"]) == wet_floor], rng)
    for row in lobby.take("case_location_other_key_order"):
        row["location"] = json.dumps(dict(reversed(LOBBY.items())))
    for row, padding in zip(lobby.take("case_label_padded"), LABEL_PADDINGS, strict=False):
        row["label"] = padding.format(row["label"])
    nowhere = Pool([row for row in rows.tables["cases"] if row["location"] == "{}"], rng)
    for row in nowhere.take("case_location_null"):
        row["location"] = None
    for row in nowhere.take("case_location_empty_text"):
        row["location"] = ""
    for row in cases.take("case_visibility_unknown"):
        row["metadata"] = json.dumps({"visibility": "CONFIDENTIAL"})
    for row in cases.take("case_from_insights"):
        row.update(label="11.94.Operations.Audit", source_type="api", metadata=json.dumps({"origin": "insights"}))


def _is_closed(row: Row) -> bool:
    return row["status"] in TERMINAL and row["closed_at"] is not None
