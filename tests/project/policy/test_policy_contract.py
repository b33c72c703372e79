"""The public marts differ from those of the last release only where the changelog says so."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.policy import manifest
from support.warehouse import Warehouse

from orchestration.errors import RefusedError
from orchestration.warehouse.releases import this_release
from workshop import contract
from workshop.contract import Row, new_contract, newest_heading, notes, problems, schema_changes

Marts = dict[str, Any]
UNRELATED = Row("3.1.0", "`dim_tasks`", "`other`", "nothing")

RELEASED: contract.Contract = {
    "release": "3.0.0 (2027-01-15)",
    "schema_changes": 1,
    "marts": {
        "fact_tasks": {
            "version": None,
            "key": ["organization_id", "task_id"],
            "constraints": [],
            "columns": {"organization_id": "uuid not_null", "task_id": "uuid not_null", "closed_at": "date"},
        }
    },
}
OLD_ROW = Row("3.0.0", "`fact_tasks`", "first version: `closed_at`, `task_id`, `added`", "")
CHANGELOG = f"""# Changelog

## Schema changes

| version | relation | change | what to do |
| --- | --- | --- | --- |
| 3.0.0 | `fact_tasks` | first version | `insights init`, then build |
| {this_release()} | `fact_tasks` | `closed_at` is a date | `insights reconcile` once fills it |
| {this_release()} | function `insights_ops.a` | new | `insights init`, before `insights build` |
| {this_release()} | `dim_dates` | an index | |

## {this_release()} (2027-03-01)
- Better.

## 2.0.0 (2026-01-01)
"""


def _drop_column(marts: Marts) -> None:
    del marts["fact_tasks"]["columns"]["closed_at"]


def _change_type(marts: Marts) -> None:
    marts["fact_tasks"]["columns"]["closed_at"] = "timestamp with time zone"


def _allow_null(marts: Marts) -> None:
    marts["fact_tasks"]["columns"]["task_id"] = "uuid"


def _refuse_null(marts: Marts) -> None:
    marts["fact_tasks"]["columns"]["closed_at"] = "date not_null"


def _change_key(marts: Marts) -> None:
    marts["fact_tasks"]["key"] = ["task_id"]


def _add_constraint(marts: Marts) -> None:
    marts["fact_tasks"]["constraints"] = ["primary_key (task_id)"]


def _add_column(marts: Marts) -> None:
    marts["fact_tasks"]["columns"]["added"] = "text"


def _drop_relation(marts: Marts) -> None:
    del marts["fact_tasks"]


def _add_relation(marts: Marts) -> None:
    marts["fact_cases"] = marts["fact_tasks"]


# A change, what is said about it, and the row that announces it.
CASES: list[tuple[Callable[[Marts], None], str, Row]] = [
    (_drop_column, "insights.fact_tasks.closed_at: removed", Row("3.1.0", "`fact_tasks`", "without `closed_at`", "")),
    (
        _change_type,
        "insights.fact_tasks.closed_at: changed from date to timestamp with time zone",
        Row("3.1.0", "`fact_tasks.closed_at`, `fact_cases.closed_at`", "a time", ""),
    ),
    (
        _allow_null,
        "insights.fact_tasks.task_id: changed from uuid not_null to uuid",
        Row("3.1.0", "`insights.fact_tasks`", "`task_id` may be NULL", ""),
    ),
    (
        _refuse_null,
        "insights.fact_tasks.closed_at: changed from date to date not_null",
        Row("3.1.0", "`fact_tasks`", "`closed_at` is never NULL", ""),
    ),
    (
        _change_key,
        "insights.fact_tasks: key changed from ['organization_id', 'task_id'] to ['task_id']",
        Row("3.1.0", "`fact_tasks`", "another key", ""),
    ),
    (
        _add_constraint,
        "insights.fact_tasks: constraints changed from [] to ['primary_key (task_id)']",
        Row("3.1.0", "`fact_tasks`", "another key", ""),
    ),
    (_add_column, "insights.fact_tasks.added: new", Row("3.1.0", "`fact_tasks`", "`added`", "")),
    (_drop_relation, "insights.fact_tasks: removed", Row("3.1.0", "`fact_tasks`", "is gone", "")),
    (_add_relation, "insights.fact_cases: new", Row("3.1.0", "`fact_cases`", "new", "")),
]


def test_what_differs_from_the_last_release_is_announced() -> None:
    released = json.loads(contract.FILE.read_text(encoding="utf-8"))
    rows = schema_changes(contract.CHANGELOG.read_text(encoding="utf-8"))
    assert released["schema_changes"] <= len(rows), "rows of a release are never removed"
    assert not list(problems(released, contract.marts_of(manifest()), rows))


@pytest.mark.services
def test_the_contract_is_what_the_database_has(built: Warehouse) -> None:
    released = contract.marts_of(manifest())
    stored = built.rows(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod) from pg_class as c"
        " inner join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'insights'::regnamespace and c.relname = any(%s)",
        list(released),
    )
    declared = {
        (name, column, text.removesuffix(" not_null"))
        for name, mart in released.items()
        for column, text in mart["columns"].items()
    }
    assert set(stored) == declared
    assert len({name for name, _, _ in stored}) == len(released) > 25


@pytest.mark.parametrize(("change", "says", "row"), CASES)
def test_each_change_needs_a_row_of_its_own_release(change: Callable[[Marts], None], says: str, row: Row) -> None:
    marts: Marts = copy.deepcopy(RELEASED["marts"])
    assert list(problems(RELEASED, marts, [OLD_ROW])) == []
    change(marts)
    assert list(problems(RELEASED, marts, [OLD_ROW, UNRELATED])) == [says]
    assert list(problems(RELEASED, marts, [OLD_ROW, UNRELATED, row])) == []


def test_a_new_version_of_the_model_announces_itself() -> None:
    marts: Marts = copy.deepcopy(RELEASED["marts"])
    _change_type(marts)
    marts["fact_tasks"]["version"] = 2
    assert list(problems(RELEASED, marts, [OLD_ROW])) == []


def test_the_notes_of_a_release_say_what_to_run_in_the_order_of_an_upgrade() -> None:
    assert notes(RELEASED, CHANGELOG) == (
        f"# {this_release()} (2027-03-01)\n\n"
        "## What to run\n"
        "1. `insights init --plan`\n2. `insights init`\n3. `insights build`\n4. `insights reconcile`\n\n"
        "docs/operations/upgrades.md has the steps around them.\n\n"
        "## Schema changes\n| relation | change | what to do |\n| --- | --- | --- |\n"
        "| `fact_tasks` | `closed_at` is a date | `insights reconcile` once fills it |\n"
        "| function `insights_ops.a` | new | `insights init`, before `insights build` |\n"
        "| `dim_dates` | an index |  |\n"
    )


def test_the_contract_is_written_for_a_dated_heading_of_this_release() -> None:
    marts: Marts = RELEASED["marts"]
    written = new_contract(marts, CHANGELOG, RELEASED)
    assert written == {"release": f"{this_release()} (2027-03-01)", "schema_changes": 4, "marts": marts}
    assert json.loads(contract.as_text(written)) == written
    unreleased = CHANGELOG.replace("(2027-03-01)", "(unreleased)")
    assert newest_heading(unreleased) == f"{this_release()} (unreleased)"
    with pytest.raises(RefusedError, match=r"begins with .* \(unreleased\): write the date of the release"):
        new_contract(marts, unreleased, RELEASED)
    with pytest.raises(RefusedError, match=rf"begins with 9\.0\.0 .*, and this is release {this_release()}\."):
        new_contract(marts, CHANGELOG.replace(f"## {this_release()}", "## 9.0.0"), RELEASED)


def test_the_command_names_what_is_not_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, "parsed", manifest)  # without a second parse
    released = json.loads(contract.FILE.read_text(encoding="utf-8"))
    assert CliRunner().invoke(contract.main, []).exit_code == 0
    file = tmp_path / "contract.json"
    shutil.copy(contract.FILE, file)
    monkeypatch.setattr(contract, "FILE", file)
    del released["marts"]["dim_dates"]["columns"]["iso_week"]
    file.write_text(json.dumps(released), encoding="utf-8")
    done = CliRunner().invoke(contract.main, [])
    assert done.exit_code == 1
    assert "insights.dim_dates.iso_week: new\nAdd a row at the end of the table `Schema changes`" in done.output
