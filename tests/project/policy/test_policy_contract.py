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
            "schema": "insights",
            "materialized": "table",
            "is_enforced": True,
            "shared": None,
            "key": ["organization_id", "task_id"],
            "constraints": [],
            "columns": {"organization_id": "uuid not_null", "task_id": "uuid not_null", "closed_at": "date"},
        }
    },
}
# Of each of the forms of rows that announce, one about the same relation, which announces something else.
OTHER_ROWS = [
    Row("3.1.0", "`dim_tasks`", "`closed_at`", ""),
    Row("3.1.0", "`dim_tasks`, like `fact_tasks.closed_at`", "new", ""),
    Row("3.1.0", "`fact_tasks`", "an index on `closed_at`", ""),
    Row("3.1.0", "`fact_tasks`", "`other`, like `closed_at` and `task_id`", ""),
    Row("3.1.0", "`fact_tasks`", "`other`: removed with `closed_at`", ""),
    Row("3.1.0", "`fact_tasks`", "removed `other`: see `closed_at`", ""),
    Row("3.1.0", "`fact_tasks`", "changed `other`", ""),
    Row("3.1.0", "`fact_tasks`", "removed rows that another key or `closed_at` refused", ""),
]
FORMS = {
    "new": Row("3.1.0", "`fact_tasks`", "new: as before", ""),
    "removed": Row("3.1.0", "`fact_tasks`", "removed", ""),
    "key": Row("3.1.0", "`fact_tasks`", "another key", ""),
    "form": Row("3.1.0", "`fact_tasks`", "another form", ""),
    "new column": Row("3.1.0", "`fact_tasks`", "`closed_at`, `task_id`, `added`", ""),
    "removed column": Row("3.1.0", "`fact_tasks`", "removed `closed_at`, `task_id`, `added`", ""),
    "changed column": Row("3.1.0", "`fact_tasks`", "changed `closed_at`, `task_id`, `added`", ""),
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


def _mark_personal(marts: Marts) -> None:
    marts["fact_tasks"]["columns"]["closed_at"] = "date pii=name"


def _set(name: str, value: object) -> Callable[[Marts], None]:
    return lambda marts: marts["fact_tasks"].update({name: value})


# A change, what is said about it, the relation, and the kind of the row that announces it.
CASES: list[tuple[Callable[[Marts], None], str, str]] = [
    (_drop_column, "insights.fact_tasks.closed_at: removed", "removed column"),
    (
        _change_type,
        "insights.fact_tasks.closed_at: changed from date to timestamp with time zone",
        "changed column",
    ),
    (_allow_null, "insights.fact_tasks.task_id: changed from uuid not_null to uuid", "changed column"),
    (_refuse_null, "insights.fact_tasks.closed_at: changed from date to date not_null", "changed column"),
    (_mark_personal, "insights.fact_tasks.closed_at: changed from date to date pii=name", "changed column"),
    (
        _change_key,
        "insights.fact_tasks: key changed from ['organization_id', 'task_id'] to ['task_id']",
        "key",
    ),
    (
        _add_constraint,
        "insights.fact_tasks: constraints changed from [] to ['primary_key (task_id)']",
        "key",
    ),
    (
        _set("materialized", "materialized_view"),
        "insights.fact_tasks: materialized changed from table to materialized_view",
        "form",
    ),
    (_set("schema", "other"), "insights.fact_tasks: schema changed from insights to other", "form"),
    (_set("is_enforced", False), "insights.fact_tasks: is_enforced changed from True to False", "form"),
    (_set("shared", "all"), "insights.fact_tasks: shared changed from None to all", "form"),
    (_add_column, "insights.fact_tasks.added: new", "new column"),
    (_drop_relation, "insights.fact_tasks: removed", "removed"),
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
        "select c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull from pg_class as c"
        " inner join pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'insights'::regnamespace and c.relname = any(%s)",
        list(released),
    )
    kinds = {"table": "r", "materialized_view": "m"}
    declared = {
        # The columns of a materialized view are never declared as NOT NULL.
        (name, kind, column, text.split(" not_null")[0].split(" pii=")[0], " not_null" in text and kind == "r")
        for name, mart in released.items()
        for kind in kinds[mart["materialized"]]
        for column, text in mart["columns"].items()
    }
    assert set(stored) == declared
    assert len({name for name, *_ in stored}) == len(released) > 25
    keys = built.rows(
        "select c.relname, array_agg(a.attname::text order by a.attname) from pg_class as c"
        " inner join pg_index as i on c.oid = i.indrelid and i.indisunique and i.indpred is null"
        " inner join pg_attribute as a on c.oid = a.attrelid and a.attnum = any(i.indkey)"
        " where c.relnamespace = 'insights'::regnamespace and c.relname = any(%s) group by c.relname, i.indexrelid",
        list(released),
    )
    stored_keys = {(name, tuple(columns)) for name, columns in keys}
    declared_keys = {
        (name, tuple(sorted([key] if isinstance(key := mart["key"], str) else key))) for name, mart in released.items()
    }
    assert declared_keys - stored_keys == set()


@pytest.mark.parametrize(("change", "says", "kind"), CASES)
def test_each_change_needs_a_row_of_its_own_release_and_kind(
    change: Callable[[Marts], None], says: str, kind: str
) -> None:
    marts: Marts = copy.deepcopy(RELEASED["marts"])
    assert list(problems(RELEASED, marts, [OLD_ROW])) == []
    change(marts)
    others = [row for name, row in FORMS.items() if name != kind]
    assert list(problems(RELEASED, marts, [FORMS[kind], *OTHER_ROWS, *others])) == [says]
    assert list(problems(RELEASED, marts, [OLD_ROW, *OTHER_ROWS, FORMS[kind]])) == []


def test_a_new_relation_needs_a_row_that_says_new() -> None:
    marts: Marts = {**RELEASED["marts"], "fact_cases": RELEASED["marts"]["fact_tasks"]}
    others = [Row("3.1.0", "`fact_cases`", change, "") for change in ("another key", "`closed_at`", "newly indexed")]
    assert list(problems(RELEASED, marts, [OLD_ROW, *others, FORMS["new"]])) == ["insights.fact_cases: new"]
    row = Row("3.1.0", "`fact_tasks`, `insights.fact_cases`", "new: cases", "")
    assert list(problems(RELEASED, marts, [OLD_ROW, row])) == []


def test_the_form_of_a_mart_is_read_from_its_model() -> None:
    marts = contract.marts_of(manifest())
    forms = {name: marts[name]["materialized"] for name in ("fact_tasks", "dim_dates", "report_profile_scores")}
    assert forms == {"fact_tasks": "table", "dim_dates": "table", "report_profile_scores": "materialized_view"}
    assert {(one["schema"], one["is_enforced"]) for one in marts.values()} == {("insights", True)}
    assert marts["dim_dates"]["shared"] == "all"
    assert "text not_null pii=none" in marts["dim_organizations"]["columns"].values()


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


def test_todays_rows_that_wait_for_a_build_list_it() -> None:
    rows = schema_changes(contract.CHANGELOG.read_text(encoding="utf-8"))
    words = ("next build", "then build", "insights build", "next load makes", "reconcile")
    waiting = {row for row in rows if any(word in row.to_do for word in words)}
    assert len(waiting) > 40
    assert {row for row in waiting if not row.needs_build} == set()
    idle = {row for row in rows if row.to_do in ("", "nothing", "`insights init`") and row.relation.count("`") == 2}
    assert {row.relation for row in idle if row.needs_build} == {"`insights.reader_report_profile_scores`"}


def test_a_row_about_a_mart_asks_for_a_build_in_the_notes() -> None:
    line = "| 3.0.0 | `fact_cases` | `a` | the next build adds and fills it |"
    text = CHANGELOG.split("| 3.0.0 |", maxsplit=1)[0] + line + "\n\n## 3.0.0 (2027-03-01)\n"
    said = notes({"schema_changes": 0}, text)
    assert "1. `insights init --plan`\n2. `insights init`\n3. `insights build`\n\n" in said
    bookkeeping = text.replace("`fact_cases`", "`insights_ops.a`").replace(
        "the next build adds", "`insights init` adds"
    )
    assert "`insights build`" not in notes({"schema_changes": 0}, bookkeeping)


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
