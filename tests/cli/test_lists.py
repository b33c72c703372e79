"""What lists and texts have in common: times with their zone, colors on a terminal only, and a limit that is said."""

from __future__ import annotations

import re
import subprocess

import pytest
from click.testing import CliRunner
from support.readers import add_reader, largest_organizations, remove_reader
from support.saved_parse import save_for_insights
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.manifest import read_manifest
from workshop.terminal import INSIGHTS, on_terminal

COLOR = "\x1b["
# Sessions of this role read times in another zone, unless the command sets its own.
ELSEWHERE = "alter role orgo_insights_etl in database {} set timezone = 'America/New_York'"
ATTEMPT = """
insert into insights_ops.export_audit (
    export_id, event, logged_at, requested_by, organization, export_name, format, output, from_date, to_date, is_masked,
    reason, config_version, environment
)
select gen_random_uuid(), 'refused', timestamptz '2026-01-02 23:30:00+00' + n * interval '1 s', 'u', 'o', 'cases',
    'csv', 'f', '2025-01-01', '2025-02-01', true, 'no', '3.0', 'dev'
from generate_series(1, {}) as n
"""


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(commands, [*arguments], catch_exceptions=False)
    assert done.exit_code in (0, 3), done.output
    return done.stdout


@pytest.fixture
def warehouse(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Return the built sample, whose sessions of the ETL role have the time zone of New York."""
    built.execute(ELSEWHERE.format(built.name))
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    return built


@pytest.mark.services
def test_every_time_has_its_zone(warehouse: Warehouse) -> None:
    warehouse.execute(ATTEMPT.format(1))
    _, slug = largest_organizations(warehouse)[0]
    add_reader(warehouse, slug)
    try:
        shown = {name: _run(*name.split()) for name in ("status", "reader list", "exports audit", "reviews list")}
    finally:
        remove_reader(warehouse, slug)
    assert "2026-01-02 23:30:01+00:00" in shown["exports audit"]
    for name, text in shown.items():
        times = re.findall(r"\d\d:\d\d(?::\d\d)?\S*", text)
        assert [time for time in times if not time.endswith("+00:00")] == [], name
        assert times or name == "reviews list"


@pytest.mark.services
def test_lists_have_a_limit_and_say_what_shows_the_rest(warehouse: Warehouse) -> None:
    warehouse.execute(ATTEMPT.format(25))
    audit = _run("exports", "audit").splitlines()
    assert (len(audit), audit[-1]) == (1 + 20 + 1, "  and 5 more; --limit 25 shows all")
    assert len(_run("exports", "audit", "--limit", "25").splitlines()) == 1 + 25

    stored = warehouse.value(
        "select count(*) from insights.pattern_yearly"
        " where review_date = (select max(review_date) from insights.pattern_yearly)"
    )
    assert stored > 3
    listed = _run("patterns", "list", "--cadence", "yearly", "--limit", "3").splitlines()
    assert listed[-1] == f"  and {stored - 3} more; --limit {stored} shows all"
    assert len(listed) == 2 + 3 + 1

    pattern, cases = warehouse.rows(
        "select pattern_id::text, cardinality(case_ids) from insights.pattern_yearly"
        " where visibility <> 'ANONYMISED' order by 2 desc, 1 limit 1"
    )[0]
    explained = _run("patterns", "explain", pattern, "--limit", "2").splitlines()
    assert len([line for line in explained if re.match(r"  Case\s", line)]) == 2
    assert explained[-1] == f"  and {cases - 2} more; --limit {cases} shows all"


def test_colors_are_for_terminals_and_no_color_is_respected(settings: Settings) -> None:
    read_manifest(settings)  # in the process of the tests, so that no command parses the project
    assert COLOR in on_terminal(INSIGHTS, "dashboards", environment={"NO_COLOR": ""})
    assert COLOR not in on_terminal(INSIGHTS, "dashboards", environment={"NO_COLOR": "1"})
    done = subprocess.run([INSIGHTS, "dashboards"], capture_output=True, text=True, check=True)
    assert COLOR not in done.stdout


@pytest.mark.services
def test_output_of_dbt_has_no_colors_in_a_pipe(warehouse: Warehouse) -> None:
    save_for_insights(warehouse.settings, warehouse.etl_url, as_of="2026-01-01")
    command = [INSIGHTS, "build", "--as-of", "2026-01-01", "--select", "tokens"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Completed successfully" in done.stdout
    assert COLOR not in done.stdout + done.stderr
