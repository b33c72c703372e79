"""A picture of cost by history: processor seconds of each piece of work and of its floor, over the number of tasks."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

from benchmarks.measure import Comparison, Measurement

WIDTH, HEIGHT, LEFT, TOP, LEGEND = 640, 420, 60, 20, 420
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933")
LEAST = 0.01  # seconds: the tick of the processor's clock

Points = list[tuple[int, float]]


def picture(found: Iterable[Comparison]) -> str:
    """Return an SVG with logarithmic axes: a line for the work, and a dashed one for its floor.

    Work whose cost follows the change is a flat line; work whose cost follows the history rises like the diagonal.
    """
    lines: dict[tuple[str, str], Points] = defaultdict(list)
    for compared in found:
        name = f"{compared.benchmark}: {compared.title}"
        for side, runs in (("", compared.work), ("floor", compared.floor)):
            if runs:
                lines[name, side].append((compared.size.tasks, _cost(runs)))
    points = [point for line in lines.values() for point in line]
    axes = _Axes([tasks for tasks, _ in points], [cost for _, cost in points])
    names = list(dict.fromkeys(name for name, _ in lines))
    body = axes.grid()
    for (name, side), line in lines.items():
        color = COLORS[names.index(name) % len(COLORS)]
        body.append(axes.line(sorted(line), color, is_dashed=bool(side)))
    for place, name in enumerate(names):
        y, color = TOP + 10 + 18 * place, COLORS[place % len(COLORS)]
        body.append(f'<rect x="{WIDTH + 14}" y="{y - 9}" width="10" height="10" fill="{color}"/>')
        body.append(f'<text x="{WIDTH + 30}" y="{y}">{escape(name)}</text>')
    height = max(HEIGHT, TOP + 18 * len(names)) + 50
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + LEGEND}" height="{height}"'
            ' font-family="sans-serif" font-size="12">',
            '<rect width="100%" height="100%" fill="white"/>',
            *body,
            f'<text x="{LEFT}" y="{HEIGHT + 38}">tasks; processor seconds of client and server; dashed: floor</text>',
            "</svg>\n",
        ]
    )


class _Axes:
    """Logarithmic axes over whole powers of ten."""

    def __init__(self, tasks: Sequence[int], costs: Sequence[float]) -> None:
        self._x = floor(log10(min(tasks))), max(ceil(log10(max(tasks))), floor(log10(min(tasks))) + 1)
        self._y = floor(log10(min(costs))), max(ceil(log10(max(costs))), floor(log10(min(costs))) + 1)

    def place(self, tasks: float, cost: float) -> tuple[float, float]:
        across = (log10(tasks) - self._x[0]) / (self._x[1] - self._x[0])
        up = (log10(cost) - self._y[0]) / (self._y[1] - self._y[0])
        return LEFT + across * (WIDTH - LEFT), TOP + (1 - up) * (HEIGHT - TOP)

    def grid(self) -> list[str]:
        """Return the lines and labels of the powers of ten."""
        drawn = []
        for power in range(self._x[0], self._x[1] + 1):
            x, _ = self.place(10**power, 10 ** self._y[0])
            drawn.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT}" stroke="#ddd"/>')
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT + 18}" text-anchor="middle">{10**power:,}</text>')
        for power in range(self._y[0], self._y[1] + 1):
            _, y = self.place(10 ** self._x[0], 10**power)
            drawn.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH}" stroke="#ddd"/>')
            drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10**power:g}</text>')
        return drawn

    def line(self, points: Points, color: str, *, is_dashed: bool) -> str:
        """Return a line through points, with a dot at each."""
        places = [self.place(*point) for point in points]
        dashes = ' stroke-dasharray="5 4"' if is_dashed else ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places)
        return f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.5"{dashes}/>{dots}'


def _cost(runs: Sequence[Measurement]) -> float:
    return max(statistics.median(one.processor for one in runs), LEAST)
