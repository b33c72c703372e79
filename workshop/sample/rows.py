"""Collect the generated rows: one list per operational table, in load order."""

import random
from datetime import datetime
from typing import Any, TypeVar

from workshop.sample.scenario import SEED

Row = dict[str, Any]

TABLES = (
    "organizations",
    "organization_profiles",
    "user_accounts",
    "person_profiles",
    "roles",
    "label_definitions",
    "learning_groups",
    "learning_group_memberships",
    "cases",
    "tasks",
    "task_events",
    "task_comments",
    "task_assignments",
    "entity_labels",
    "wellbeing_checkins",
)


def random_for(*names: str) -> random.Random:
    """Return a random generator for one part of the sample, so that changes in one part do not affect the others.

    Use only its methods without logarithms or roots, which return the same values on every machine.
    """
    return random.Random(":".join((SEED, *names)))  # noqa: S311 -- the sample must be reproducible


Value = TypeVar("Value")


def weighted(weights: dict[Value, int]) -> tuple[Value, ...]:
    """Return every key repeated by its weight, for `random.choice`."""
    return tuple(value for value, weight in weights.items() for _ in range(weight))


def chance(rng: random.Random, share: float) -> bool:
    """Return True with the probability `share` (0 to 1)."""
    return rng.random() < share


class Rows:
    """Rows per table. All rows of a table have the same columns."""

    def __init__(self) -> None:
        """Start with every table empty."""
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._ids = random_for("ids")

    def new_id(self) -> str:
        """Return a UUID of version 4, as text."""
        digits = f"{self._ids.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def add(self, table: str, created_at: datetime, updated_at: datetime | None = None, **columns: Any) -> Row:
        """Append one row with a new id and return it; `updated_at` defaults to `created_at`."""
        row: Row = {"id": self.new_id(), **columns, "created_at": created_at, "updated_at": updated_at or created_at}
        if table == "task_events":
            del row["updated_at"]  # events are immutable
        self.tables[table].append(row)
        return row
