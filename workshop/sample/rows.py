"""The rows of the sample while they are made: one list per operational table, in the order in which they load."""

import random
from datetime import datetime
from typing import Any, TypeVar

from workshop.sample.world import SEED

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
    """Return a generator that of one part of the sample: a change in one part leaves the others as they are.

    Only its methods that need no logarithm or root are used: those give the same values on every machine.
    """
    return random.Random(":".join((SEED, *names)))  # noqa: S311 -- a sample has to repeat itself


Value = TypeVar("Value")


def weighted(weights: dict[Value, int]) -> tuple[Value, ...]:
    """Repeat every key as often as its weight says, for a random choice among them."""
    return tuple(value for value, weight in weights.items() for _ in range(weight))


def chance(rng: random.Random, share: float) -> bool:
    """Let something happen in `share` (0 to 1) of all times."""
    return rng.random() < share


class Rows:
    """Rows per table. `add` gives each row its id; a table's rows all have the same columns."""

    def __init__(self) -> None:
        """Start with every table empty."""
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._ids = random_for("ids")

    def new_id(self) -> str:
        """Return a UUID of version 4, as text."""
        digits = f"{self._ids.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def add(self, table: str, created_at: datetime, updated_at: datetime | None = None, **columns: Any) -> Row:
        """Append one row and return it; `updated_at` is `created_at` unless given."""
        row: Row = {"id": self.new_id(), **columns, "created_at": created_at, "updated_at": updated_at or created_at}
        if table == "task_events":
            del row["updated_at"]  # events are never changed
        self.tables[table].append(row)
        return row
