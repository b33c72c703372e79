"""Several commands run in one process of dbt, and end with the first that fails (decision D199)."""

from __future__ import annotations

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.dbt_process import THEN
from orchestration.supervision import run_dbt


def test_the_second_command_has_the_project_that_the_first_parsed(settings: Settings) -> None:
    lines: list[str] = []
    parse = dbt.complete(settings, ["parse", "--log-level", "debug"], {})
    listed = dbt.complete(settings, ["ls", "--resource-type", "seed", "--log-level", "debug"], {})
    environment = dbt.process_environment(settings, None)
    assert run_dbt([*parse, THEN, *listed], environment, lines.append) == 0
    assert [sum(said in line for line in lines) for said in ("Running with dbt=", "  checksum: ")] == [2, 1]
    assert "orgo_insights.tokens\n" in lines


def test_nothing_follows_a_command_that_fails(settings: Settings) -> None:
    lines: list[str] = []
    listed = dbt.complete(settings, ["ls", "--resource-type", "seed"], {})
    assert run_dbt(["ls", "--nonsense", THEN, *listed], dbt.process_environment(settings, None), lines.append) == 2
    assert lines[-1].startswith("Error: No such option '--nonsense'")
