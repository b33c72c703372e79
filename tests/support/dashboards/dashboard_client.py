"""One process of clients: `python dashboard_client.py` reads what to ask, and how, from its standard input.

It says `ready`, waits for a line, asks with all its threads at once, and prints what each was answered.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.dashboards.dashboard_settings import changed

from orchestration.cache.answers import Answer
from orchestration.cache.entries import Entry
from orchestration.cache.single_flight import SingleFlight
from orchestration.config.files import load_settings
from orchestration.dashboards.definitions import dashboards
from orchestration.dashboards.question import Asked, Question
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warehouse import Warehouse


class CountedFlights(SingleFlight[Answer]):
    """Knows which threads wait for another one."""

    def __init__(self) -> None:
        """Begin with no client waiting."""
        super().__init__()
        self.waiting: list[int] = []

    def run(
        self, key: str, work: Callable[[], Answer], instead: Callable[[], Answer | None], patience: float
    ) -> tuple[Answer, bool]:
        """Do as SingleFlight does: a client that looks for a stored answer gets that of the other thread."""

        def counted() -> Answer | None:
            self.waiting.append(threading.get_ident())
            return instead()

        return super().run(key, work, counted, patience)


class SlowReader(Reader):
    """A reader that says when it computes, and takes its time: until all other threads wait for it, and longer."""

    slowness = 0.0
    others = 0
    flights: CountedFlights

    def compute(self, question: Question) -> Entry:
        """Compute like the reader, after a pause."""
        print("computing", flush=True)  # noqa: T201
        while len(self.flights.waiting) < self.others:
            time.sleep(0.01)
        time.sleep(self.slowness)
        return super().compute(question)


def main() -> None:
    """Ask each question, and print a list of outcome and body."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    settings = changed(load_settings(), task["settings"])
    manifest = json.loads(Path(task["manifest"]).read_text("utf-8"))
    reader = SlowReader(settings, dashboards(manifest), Warehouse(settings, task["url"]))
    reader.slowness, reader.others = task["slowness"], task["threads"] - 1
    reader.flights = reader.answers._flights = CountedFlights()
    request = Asked(task["dashboard"], task["organization"], task["visibilities"])
    start = threading.Barrier(task["threads"])

    def ask(_: int) -> tuple[str, str]:
        start.wait()
        answer = reader.ask(request, ["teacher"])
        return answer.outcome, answer.entry.body.decode()

    with ThreadPoolExecutor(task["threads"]) as pool:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        print(json.dumps(list(pool.map(ask, range(task["threads"])))), flush=True)  # noqa: T201
    reader.close()


if __name__ == "__main__":
    main()
