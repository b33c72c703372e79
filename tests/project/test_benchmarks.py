"""Every benchmark runs at its smallest size, and its floors compute the same rows; nothing depends on a duration."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, in_turn
from benchmarks.picture import picture
from benchmarks.report import table
from benchmarks.services import Bench
from benchmarks.sizes import SIZES
from orchestration.config.files import PROJECT

# Comparisons whose floor computes the same rows.
SAME = {"build": 2, "purge": 2, "engines": 3, "publish": 3, "cache": 2, "api": 1, "exports": 3}
ALL = {**SAME, "build": 4, "api": 4, "patterns": 3, "contention": 1, "startup": 2, "dags": 1, "drill": 2}
LIMIT = 1800  # seconds, on a busy machine


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the JSON of a run of everything."""
    path = tmp_path_factory.mktemp("benchmarks") / "measured.json"
    at_a_signal = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(main, ["--size", "XS", "--json", str(path)])
    signal.signal(signal.SIGTERM, at_a_signal)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.services
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs(name: str, measured: dict[str, Any]) -> None:
    found = [compared for compared in measured["comparisons"] if compared["benchmark"] == name]
    assert len(found) == ALL[name]
    assert len([compared for compared in found if compared["is_same"]]) == SAME.get(name, 0)
    for compared in found:
        assert compared["size"]["tasks"] == 5_000
        for side in ("work", "floor"):
            assert all(one["wall"] > 0 and one["client"] >= 0 and one["server"] >= 0 for one in compared[side])
            assert len(compared[side]) == 1, (compared["title"], side)
        if compared["is_same"]:
            rows = {one["rows"] for side in ("work", "floor") for one in compared[side]}
            assert len(rows) == 1 and min(rows) > 0, compared["title"]


def compared_with(work: int, floor: int) -> Comparison:
    """Compare two sides with these rows, of which the work takes twice the processor time."""
    compared = Comparison("shown", "a piece of <work>", SIZES["S"], "another way", is_same=True)
    sides = Measurement(2.0, 1.5, 0.5, 20, work), Measurement(1.0, 0.5, 0.5, 10, floor)
    return in_turn(compared, 3, lambda: sides[0], lambda: sides[1])


def test_the_table_has_medians_and_ratios() -> None:
    assert list(table([compared_with(7, 7)]))[2:] == [
        "| shown | a piece of <work> | 100,000 | 2.00 | 0.50 | 1.50 | 2.00 | 7 | 20 |",
        "|  | floor: another way (the same rows) |  | 1.00 | 0.50 | 0.50 | 1.00 | 7 | 10 |",
        "| | ratio | | **2.00** | **1.00** |  | **2.00** | | |",
    ]


def test_the_picture_has_a_line_for_each_side() -> None:
    root = ElementTree.fromstring(picture([compared_with(7, 7)]))  # noqa: S314 - our own text
    lines = [path for path in root.iter("{http://www.w3.org/2000/svg}path") if path.get("stroke-width")]
    assert [path.get("stroke-dasharray") for path in lines] == [None, "5 4"]


def test_sides_with_different_rows_are_an_error() -> None:
    with pytest.raises(BenchmarkError, match=r"shown, a piece of <work>: the work has 7 rows, the floor .* 8\."):
        compared_with(7, 8)


@pytest.mark.parametrize("side", ["work", "floor"])
def test_an_error_ends_the_run_and_names_the_side(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Measurement:
        raise ValueError("no rows")

    def run(bench: object) -> list[Comparison]:
        sides = {"work": Measurement, "floor": Measurement} | {side: fails}
        return [in_turn(Comparison("dags", "a file", SIZES["XS"]), 1, sides["work"], sides["floor"])]

    monkeypatch.setattr(BENCHMARKS["dags"], "run", run)
    monkeypatch.setattr(Bench, "started", NoServers)
    done = CliRunner().invoke(main, ["dags", "--size", "XS"])
    assert done.exit_code == 1
    assert f"Error: dags, a file: the {side} failed: ValueError: no rows" in done.output


class NoServers:
    """A run whose benchmark uses no servers."""

    def __init__(self, size: object) -> None:
        self.size = size

    def __enter__(self) -> NoServers:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_new_process_finds_the_package_from_another_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\n    build       The first build and daily loads" in done.stdout
