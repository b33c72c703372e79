"""The tools of dbt work in the folder of the project: `build --empty`, `show`, `source freshness`, `deps`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import in_process
from support.plain_dbt import libpq_variables, plain_dbt
from support.small_scenario import NEXT_DAY
from support.warehouse import NO_TESTS, Warehouse

from orchestration import dbt
from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

DAY = ("--vars", f"{{as_of: {SAMPLE_AS_OF}}}")


def tool(warehouse: Warehouse, *arguments: str) -> tuple[bool, str]:
    """Run `dbt ARGUMENTS` as the ETL role; returns whether it succeeded, and its output."""
    return in_process.run_plain(libpq_variables(warehouse.postgres, warehouse.name, "orgo_insights_etl"), *arguments)


def test_an_empty_build_is_a_dry_run_of_every_model(prepared: Warehouse) -> None:
    succeeded, output = tool(prepared, "build", "--empty", "--exclude-resource-type", "unit_test", *DAY)
    assert succeeded, output[-3000:]
    assert prepared.value("select count(*) from public.tasks") > 0
    assert prepared.rows("select count(*), (select count(*) from insights.dim_persons) from insights.fact_tasks") == [
        (0, 0)
    ]
    # It is no load: the next one reads everything.
    assert prepared.value("select count(*) from insights_ops.load_log") == 0
    assert prepared.build("--select", "+fact_tasks", *NO_TESTS).succeeded
    assert prepared.value("select count(*) from insights.fact_tasks") > 0
    # Where something is loaded, rows would be lost.
    succeeded, output = tool(prepared, "build", "--empty", "--select", "dim_persons", *DAY)
    assert not succeeded
    assert "--empty would remove the rows of this warehouse" in output


def test_show_prints_the_rows_of_a_mart(built: Warehouse) -> None:
    for mart in ("fact_cases", "pattern_weekly"):
        succeeded, output = tool(built, "show", "--select", mart, "--limit", "-1", "--output", "json", *DAY)
        assert succeeded, output
        shown = json.loads(output[output.index('{\n  "node"') :])["show"]
        assert len(shown) == built.value(f"select count(*) from insights.{mart}") > 0  # noqa: S608 - literals


def test_freshness_warns_of_a_source_at_rest(prepared: Warehouse, tmp_path: Path) -> None:
    found = tmp_path / "sources.json"

    def state() -> dict[str, str]:
        succeeded, output = tool(prepared, "source", "freshness", "--output", str(found), "--write-json")
        results = json.loads(found.read_text("utf-8"))["results"]
        states = {result["unique_id"].rpartition(".")[2]: result["status"] for result in results}
        assert succeeded == ("error" not in states.values()), output
        return states

    def change(table: str, column: str, hours: int) -> None:
        prepared.execute(
            f"update {table} set {column} = now() - interval '{hours} hours'"  # noqa: S608 - literals
            f" where id = (select min(id::text)::uuid from {table})"
        )

    # The sample ends on the first day of 2026; the thresholds are `etl.source_stale_hours`, 72, and 168.
    assert state() == {"tasks": "error", "task_events": "error", "task_comments": "error"}
    change("tasks", "updated_at", 71)
    change("task_events", "created_at", 73)
    change("task_comments", "updated_at", 167)
    assert state() == {"tasks": "pass", "task_events": "warn", "task_comments": "warn"}


def test_deps_warns_of_nothing(prepared: Warehouse) -> None:
    done = plain_dbt(libpq_variables(prepared.postgres, prepared.name, "orgo_insights_etl"), "deps")
    assert done.succeeded, done.output
    assert "Deprecat" not in done.output


@pytest.mark.usefixtures("dbt_processes")
def test_another_day_is_loaded_without_parsing_again(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    command = ("build", "--select", "dim_dates", *NO_TESTS)
    for as_of, parses in ((SAMPLE_AS_OF, True), (NEXT_DAY, False)):
        lines: list[str] = []
        run = dbt.write(
            built.settings, command, url=built.etl_url, variables=dbt.as_of_variable(as_of), on_line=lines.append
        )
        assert run.exit_code == 0, lines
        assert ("Unable to do partial parsing" in "".join(lines)) is parses
        assert built.value("select as_of from insights_ops.load_log order by load_log_id desc limit 1") == as_of
