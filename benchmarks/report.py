"""What a run prints and writes: a table with ratios, and JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

from benchmarks.measure import Comparison, Measurement

VALUES: dict[str, Callable[[Measurement], float]] = {
    "processor": lambda one: one.processor,
    "server": lambda one: one.server,
    "client": lambda one: one.client,
    "wall": lambda one: one.wall,
}


def summary(compared: Comparison) -> str:
    """Return one line with the processor seconds of both sides."""
    sides = [statistics.median(one.processor for one in runs) for runs in (compared.work, compared.floor) if runs]
    seconds = ", floor ".join(f"{side:.2f}" for side in sides)
    return f"{compared.benchmark}, {compared.title}: processor s {seconds}"


def table(found: Iterable[Comparison]) -> Iterator[str]:
    """Yield the lines of a Markdown table: medians of each side, and the ratio of the work to its floor."""
    yield "| benchmark | work, and its floor | tasks | processor s | server s | client s | wall s | rows | buffers |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for compared in found:
        tasks = f"{compared.size.tasks:,}"
        yield _line(compared.benchmark, compared.title, tasks, compared.work)
        if compared.floor:
            sameness = "the same rows" if compared.is_same else "a part"
            yield _line("", f"floor: {compared.floor_name} ({sameness})", "", compared.floor)
            # Of the client's seconds alone, a ratio of Python to psql says nothing.
            ratios = [None if name == "client" else compared.ratio(value) for name, value in VALUES.items()]
            cells = ["" if ratio is None else f"**{ratio:.2f}**" for ratio in ratios]
            yield f"| | ratio | | {' | '.join(cells)} | | |"


def details(found: Iterable[Comparison]) -> Iterator[str]:
    """Yield the lines of a Markdown table of the other figures, which only some benchmarks have."""
    yield "| benchmark | work | tasks | figure | work | floor |"
    yield "| --- | --- | ---: | --- | ---: | ---: |"
    for compared in found:
        sides = [_medians(compared.work), _medians(compared.floor)]
        for name in dict.fromkeys([*sides[0], *sides[1]]):
            values = [f"{side[name]:,.3f}" if name in side else "" for side in sides]
            yield (
                f"| {compared.benchmark} | {compared.title} | {compared.size.tasks:,} | {name} | {' | '.join(values)} |"
            )


def as_json(found: Iterable[Comparison]) -> dict[str, Any]:
    """Return everything that was measured, with the machine."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average": list(os.getloadavg()),
        },
        "comparisons": [
            asdict(compared) | {"ratios": {name: compared.ratio(value) for name, value in VALUES.items()}}
            for compared in found
        ],
    }


def _line(benchmark: str, title: str, tasks: str, runs: list[Measurement]) -> str:
    seconds = [f"{statistics.median(map(value, runs)):,.2f}" for value in VALUES.values()]
    counts = [_count([one.rows for one in runs]), _count([one.buffers for one in runs])]
    return f"| {benchmark} | {title} | {tasks} | {' | '.join([*seconds, *counts])} |"


def _count(values: list[int | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median_high(known):,}" if known else ""


def _medians(runs: list[Measurement]) -> dict[str, float]:
    names = dict.fromkeys(name for one in runs for name in one.figures)
    return {name: statistics.median([one.figures[name] for one in runs if name in one.figures]) for name in names}
