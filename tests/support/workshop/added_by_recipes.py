"""What the recipes add is found, is built and answers: `tests/project/test_recipes.py` runs this in its copy.

It is one process, which parses the project once, by the recipe's `insights manifest`. The variables BUILT_URL and
BUILT_READER_URL name a built sample.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import psycopg
import pytest
from dbt.cli.main import dbtRunner
from support import in_process
from support.airflow import airflow_dags

from orchestration.cli import main
from orchestration.config.files import PROJECT

HOSPITAL = "sample-hospital"
Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command of `insights`, which must succeed; it returns what the command prints."""

    def insights(*arguments: str, **environment: str) -> str:
        monkeypatch.setattr(sys, "argv", ["insights", *arguments])
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            code: object = 0
            try:
                main()
            except SystemExit as end:
                code = end.code
        out, err = capfd.readouterr()
        assert not code, out + err
        return out

    return insights


def test_what_was_added_is_found_and_built_and_answers(run: Run) -> None:
    run("manifest")
    assert "nightly_reconcile" in run("config", "show")
    run("config", "check")
    folders = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
    runner = dbtRunner(manifest=in_process.parsed("dev", "insights"))
    listed = runner.invoke(["ls", "--selector", "events_reports", *folders, "--quiet", "--no-write-json"])
    assert "orgo_insights.marts.reports.report_open_cases" in listed.result  # type: ignore[operator]
    assert "insights_nightly_reconcile" in airflow_dags.bag().dags

    url, reader_url = os.environ["BUILT_URL"], os.environ["BUILT_READER_URL"]
    run("build", "--as-of", "2026-01-01", "--select", "report_open_cases", INSIGHTS_WAREHOUSE_URL=url)
    command = ("dashboard", "open_cases", "--org", HOSPITAL, "--as", "teacher", "--format", "json")
    shown = (*command, "--visibility", "PUBLIC", "--visibility", "INTERNAL")
    answer = json.loads(run(*shown, INSIGHTS_WAREHOUSE_URL=reader_url, INSIGHTS_REDIS_URL=""))
    # By status instead of by the date of closing.
    query = """
        select d.severity, count(*)
        from insights.dim_cases as d inner join insights.dim_organizations as o on o.organization_id = d.organization_id
        where o.slug = %s and d.status in ('open', 'in_progress') and d.visibility in ('PUBLIC', 'INTERNAL')
        group by d.severity
    """
    with psycopg.connect(url) as connection:
        counted: dict[str, int] = dict(connection.execute(query, [HOSPITAL]).fetchall())
    assert {row["severity"]: row["cases"] for row in answer["by_severity"]["rows"]} == counted != {}
