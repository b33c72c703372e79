"""`insights dashboard` and `insights dashboards` on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from support.dashboards.dashboard_scenario import HOSPITAL, patient_commands
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from workshop.services import LocalPostgres, LocalRedis

KIND = "kinds=incident_frequency"
ROUNDED = 0.06  # to one decimal, of a value that was rounded to two
OPEN = ("--visibility", "PUBLIC", "--visibility", "INTERNAL")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


def test_the_list_shows_each_dashboard() -> None:
    result = run("dashboards")
    assert result.exit_code == 0, result.output
    assert "--parameter days=...  How many days before the horizon. 1 to 366; default: 28." in result.output
    assert "Any of MINOR,MODERATE,MAJOR,CRITICAL; default: all." in result.output
    assert result.output.count("It has an anonymised form.") == 1


@pytest.mark.services
def test_a_dashboard_is_printed_computed_at_first_and_then_from_the_cache(
    postgres: LocalPostgres,
    settings: Settings,
    built_sample: str,
    redis_server: LocalRedis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warehouse = Warehouse.copy_of(built_sample, "printed_dashboards", postgres, settings)
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", warehouse.reader_url)
    command = ("dashboard", "task_volume", "--org", HOSPITAL, "--as", "teacher", *OPEN, "--parameter", "days=3")
    assert "There is no cache: INSIGHTS_REDIS_URL is not set." in run(*command).stderr
    monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
    patient_commands(monkeypatch)
    first, second = run(*command), run(*command)
    assert first.stderr.startswith("computed and stored in the cache; computed 20")
    assert second.stderr.startswith("from the cache; computed 20")
    assert first.stdout == second.stdout
    assert "by_day, up to 2026-01-01\n  day         status" in first.stdout
    printed = json.loads(run(*command, "--format", "json").stdout)
    total = warehouse.value(
        "select sum(task_count) from insights.report_task_volume where day >= '2025-12-29' and visibility = any(%s)"
        " and organization_id = (select organization_id from insights.dim_organizations where slug = %s)",
        ["PUBLIC", "INTERNAL"],
        HOSPITAL,
    )
    assert sum(row["tasks"] for row in printed["by_day"]["rows"]) == total > 0
    empty = run("dashboard", "open_patterns", "--org", HOSPITAL, "--as", "teacher", "--visibility", "PUBLIC")
    assert "yearly, up to 2026-01-01\n  (no rows)\n" in empty.stdout
    spiteful = (
        "update insights.pattern_weekly set label = e'a\\n2026\\u001b[2J\\u202eb' where review_date = '2025-12-29'"
    )
    warehouse.execute(spiteful)
    printed_label = run("dashboard", "open_patterns", "--org", HOSPITAL, "--as", "teacher", *OPEN, "--parameter", KIND)
    assert "  a\\n2026\\x1b[2J\\u202eb  " in printed_label.stdout
    scores = run("dashboard", "profile_score", "--org", HOSPITAL, "--as", "teacher", *OPEN)
    total = scores.stdout.partition("\ntotal, ")[2].split()
    deadlines, kept, score = total[-3:]
    expected = 100 * int(kept.replace(",", "")) / int(deadlines.replace(",", ""))
    assert score.endswith("%")
    assert abs(float(score[:-1]) - expected) <= ROUNDED
    refused = run("dashboard", "task_volume", "--org", HOSPITAL, "--as", "teacher")
    assert "Request only: --visibility PUBLIC --visibility INTERNAL" in str(refused.exception)


@pytest.mark.parametrize(
    ("pairs", "says"),
    [
        (["days"], "'days' is not name=value. List the names with: insights dashboards"),
        (["=7"], "'=7' is not name=value."),
        (["days=7", "days=8"], "days is given twice, as '7' and as '8'. Give it once, with"),
    ],
)
def test_a_parameter_that_is_no_pair_or_is_there_twice_is_a_usage_error(pairs: list[str], says: str) -> None:
    parameters = [part for pair in pairs for part in ("--parameter", pair)]
    result = run("dashboard", "task_volume", "--org", "x", "--as", "y", *parameters)
    assert result.exit_code == 2
    assert says in result.stderr
