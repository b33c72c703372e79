"""The sizes of a benchmark: how many tasks the generated history has, and what changes in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

# The day after the last event: a Monday, on which the weekly review is made. The others have the date 1 January.
FIRST_DAY = date(2026, 1, 5)


@dataclass(frozen=True)
class Size:
    """One size.

    `changed` tasks change in a day; `repeats` is how often each side of a comparison runs; `reads` is the number of
    reads of cached answers.
    """

    name: str
    tasks: int
    organizations: int
    changed: int
    repeats: int
    reads: int

    @property
    def is_smallest(self) -> bool:
        """Whether this is the size of `./dev test`, where nothing is concluded from a duration."""
        return self.name == "XS"

    @property
    def loaded(self) -> tuple[str, ...]:
        """What the daily loads of `contention` and `engines` select: everything, at the smallest size some marts."""
        marts = ("+fact_tasks", "+fact_cases", "+report_task_volume", "dim_organizations")
        return ("--select", *marts, "--indirect-selection", "buildable") if self.is_smallest else ()

    @property
    def what_is_loaded(self) -> str:
        """The same in words."""
        return "some marts" if self.is_smallest else "everything"


SIZES = {
    size.name: size
    for size in (
        Size("XS", 5_000, 20, 100, 1, 200),
        Size("S", 100_000, 50, 1_000, 3, 5_000),
        Size("M", 1_000_000, 200, 1_000, 3, 20_000),
        Size("L", 4_000_000, 800, 1_000, 1, 20_000),
    )
}
