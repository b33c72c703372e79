"""Every test that this project wrote itself fails on the mistake it is for, and on nothing else.

Each corruption makes a number of wrong rows that no other one makes, so a failure shows whose it is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from support.hostile.corruptions import CORRUPTIONS
from support.warehouse import Warehouse

from orchestration.config.files import PROJECT

LOADED = (
    *("fact_tasks", "dim_tasks", "fact_cases", "dim_cases", "fact_wellbeing_checkins", "dim_persons"),
    "report_monthly_trends",
)


def test_every_custom_test_is_proven() -> None:
    files = [file for file in (PROJECT / "tests").rglob("*.sql") if "orchestration" not in file.parts]
    generic = {name for file in files for name in re.findall(r"{%-?\s*test\s+(\w+)\s*\(", file.read_text("utf-8"))}
    singular = {file.stem for file in files if file.parent.name != "generic"}
    assert generic | singular == set(CORRUPTIONS)


def test_corruptions_can_be_distinguished() -> None:
    assert len({corruption.rows for corruption in CORRUPTIONS.values()}) == len(CORRUPTIONS)


# As if the next load had written every row, analyzed the moments of writing, and looked at the whole source.
WRITTEN = """
    insert into insights_ops.load_log
    (relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment)
    select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
    from insights_ops.load_log;
"""


@pytest.mark.services
def test_each_custom_test_fails_on_its_own_corruption_and_no_other_does(built: Warehouse) -> None:
    assert _failures(built) == {}, "the clean sample passes"
    touched = "update insights.{0} set loaded_at = now(); analyze insights.{0} (loaded_at);"
    built.execute(WRITTEN + "".join(touched.format(name) for name in LOADED))
    built.execute("".join(corruption.statements for corruption in CORRUPTIONS.values()))

    expected = {name: corruption.rows for name, corruption in CORRUPTIONS.items()}
    for recounts in (False, True):  # over written rows, then over all rows
        found = _failures(built, recounts=recounts)
        assert {_custom_test(instance): rows for instance, rows in found.items()} == expected, recounts
        assert len(found) == len(expected), f"one corruption, one failing test: {sorted(found)}"


def _failures(warehouse: Warehouse, *, recounts: bool = True) -> dict[str, int]:
    """Return the data tests that fail, with the number of wrong rows."""
    result = warehouse.build("--select", "test_type:data", "--write-json", command="test", recounts=recounts)
    written = json.loads((Path(os.environ["DBT_TARGET_PATH"]) / "run_results.json").read_text("utf-8"))["results"]
    tests = [r for r in written if r["unique_id"].startswith("test.")]
    assert len(tests) > len(CORRUPTIONS), result.output
    assert not [r["unique_id"] for r in tests if r["status"] not in ("pass", "fail", "warn")], result.output
    return {r["unique_id"].split(".")[2]: r["failures"] for r in tests if r["status"] != "pass"}


def _custom_test(instance: str) -> str:
    """Return the custom test whose corruption this instance should find, else the instance's own name."""
    for name, corruption in CORRUPTIONS.items():
        if instance.startswith(corruption.instance):
            return name
    return instance
