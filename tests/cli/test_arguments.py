"""Arguments that no command can use are refused with one sentence, before anything is connected or run."""

from __future__ import annotations

import os

import pytest
from support.command import Fails

pytest_plugins = ["support.command"]
NOT_TEXT = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["purge", "--as-of", "0001-01-01"], 2, "0001-01-01 is outside of dim_dates, 1970-01-01 to 2099-12-31."),
        (["build", "--as-of", "2100-01-01"], 2, "2100-01-01 is outside of dim_dates, 1970-01-01 to 2099-12-31."),
        (["reviews", "list", "--limit", "99999999999999999999"], 2, "is not in the range 1<=x<=100000"),
        (["exports", "audit", "--limit", "0"], 2, "is not in the range 1<=x<=100000"),
        (["patterns", "list", "--org", NOT_TEXT], 2, r"The argument 'caf\udce9' is not UTF-8 text."),
        (["build", "--target", "prod"], 1, "Remove --target: INSIGHTS_ENV decides its value."),
        (["build", "-t", "prod"], 1, "Remove -t: INSIGHTS_ENV decides its value."),
        (["build", "--vars={as_of: 2026-01-01}"], 1, "Remove --vars: config/insights/config.yaml and --as-of decides"),
        (["build", "--select", "x", "--profiles-dir", "."], 1, "Remove --profiles-dir: INSIGHTS_WAREHOUSE_URL decides"),
        (["build", "-tprod"], 1, "Remove -t: INSIGHTS_ENV decides its value."),
        (["build", "-xt", "prod"], 1, "Remove -t: INSIGHTS_ENV decides its value."),
        (["build", "--profile=x"], 1, "Remove --profile: INSIGHTS_WAREHOUSE_URL decides its value."),
        (["build", "--target-path", "x"], 1, "Remove --target-path: the environment variable DBT_TARGET_PATH decides"),
        (
            ["build", "--select", "x", ";", "run-operation", "y"],
            1,
            "Remove ;: a command of Insights is",
        ),
        (["build", "--empty"], 1, "Remove --empty: every table would be built from no rows."),
        (["build", "--sample=1 day"], 1, "Remove --sample: tables would be built from some of their rows only."),
        (
            ["build", "--defer", "--state", "."],
            1,
            "Remove --defer: models would be built from tables of another place.",
        ),
        (
            ["build", "--project-dir", "."],
            1,
            "Remove --project-dir: `insights --project-dir`, before the command, or the place where Insights is",
        ),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(arguments: list[str], code: int, says: str, fails: Fails) -> None:
    nowhere = "postgresql://etl@127.0.0.1:1/nothing_listens_here"
    assert says in fails(*arguments, code=code, INSIGHTS_WAREHOUSE_URL=nowhere)


def test_only_options_that_insights_sets_are_refused() -> None:
    from orchestration import dbt, dbt_options  # noqa: PLC0415
    from orchestration.config.files import load_settings  # noqa: PLC0415

    settings = load_settings()
    completed = [part for part in dbt.complete(settings, ["build"], {}) if part.startswith("-")]
    assert set(completed) - {*dbt_options.WRITE_JSON} <= dbt_options.OWN_OPTIONS.keys()
    dbt_options.check_arguments(
        ["--select", "marts", "--full-refresh", "--threads=2", "-xs", "-stg_tasks", "-mtests", "--state", "."]
    )


def test_no_variable_of_dbt_replaces_an_option_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.cli.main import cli  # noqa: PLC0415

    from orchestration import dbt, dbt_options  # noqa: PLC0415
    from orchestration.config.files import load_settings  # noqa: PLC0415

    refused = {*dbt_options.OWN_OPTIONS, *dbt_options.UNSAFE_OPTIONS, *dbt_options.TYPE_OPTIONS}
    options = [option for option in cli.commands["build"].params if refused & {*option.opts}]
    variables = {name for option in options for name in option.envvar or ()} - {"DBT_TARGET_PATH"}
    assert {"DBT_EMPTY", "DBT_ENGINE_EMPTY", "DBT_SAMPLE", "DBT_DEFER", "DBT_PROFILE"} <= variables
    for name in variables:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("DBT_WARN_ERROR", "1")
    environment = dbt.process_environment(load_settings(), None)
    assert not variables & set(environment)
    assert environment["DBT_WARN_ERROR"] == "1"
