"""Options and variables of dbt that Insights sets, refuses or leaves out."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.dbt_process import THEN
from orchestration.errors import BadInputError

# Options of dbt that `dbt.complete` sets, and what decides their values.
OWN_OPTIONS = {
    "--target": "INSIGHTS_ENV",
    "-t": "INSIGHTS_ENV",
    "--vars": "config/insights/config.yaml and --as-of",
    "--profiles-dir": "INSIGHTS_WAREHOUSE_URL",
    "--profile": "INSIGHTS_WAREHOUSE_URL",
    "--project-dir": "`insights --project-dir`, before the command, or the place where Insights is installed",
    "--target-path": "the environment variable DBT_TARGET_PATH",
}
# Options of dbt with which a warehouse would hold wrong rows, and why.
UNSAFE_OPTIONS = {
    "--empty": "every table would be built from no rows.",
    "--sample": "tables would be built from some of their rows only.",
    "--defer": "models would be built from tables of another place.",
    "--defer-state": "models would be built from tables of another place.",
    "--favor-state": "models would be built from tables of another place.",
}
# Environment variables of dbt that do what these options do, or that leave out models or tests; each also exists as
# DBT_ENGINE_*, which takes precedence. DBT_TARGET_PATH is read by `dbt.target_path`.
IGNORED_VARIABLES = {
    f"DBT_{prefix}{name}"
    for prefix in ("", "ENGINE_")
    for name in (
        *("TARGET", "PROFILE", "PROFILES_DIR", "PROJECT_DIR"),
        *("EMPTY", "SAMPLE", "EVENT_TIME_START", "EVENT_TIME_END"),
        *("DEFER", "DEFER_STATE", "DEFER_TO_STATE", "FAVOR_STATE", "FAVOR_STATE_MODE"),
        *("RESOURCE_TYPES", "EXCLUDE_RESOURCE_TYPES"),
    )
} | {"DBT_ENGINE_TARGET_PATH"}
# Options of one letter that take a value, which may follow without a space, as in -tprod.
SHORT_WITH_VALUE = "smrt"
# Commands of which only run_results.json is read: dbt's other artifacts take a tenth of its processor time.
RUNNING = ("build", "run", "seed", "snapshot", "test")
WRITE_JSON = ("--write-json", "--no-write-json")
# With one of these, the user chooses what runs, and models and tests run in one command.
TYPE_OPTIONS = {"--resource-type", "--resource-types", "--exclude-resource-type", "--exclude-resource-types"}


def artifacts(command: Sequence[str]) -> list[str]:
    """Return the option that keeps a command of RUNNING from writing artifacts, unless it has one itself (D213)."""
    is_chosen = any(argument in WRITE_JSON for argument in command)
    return ["--no-write-json"] if command and command[0] in RUNNING and not is_chosen else []


def check_arguments(arguments: Sequence[str]) -> None:
    """Raise BadInputError for an option that `dbt.complete` sets or that is unsafe, and for a second command."""
    if THEN in arguments:
        raise BadInputError(f"Remove {THEN}: a command of Insights is one command of dbt.")
    for option in (option for argument in arguments for option in _options(argument)):
        if option in OWN_OPTIONS:
            raise BadInputError(f"Remove {option}: {OWN_OPTIONS[option]} decides its value.")
        if option in UNSAFE_OPTIONS:
            raise BadInputError(f"Remove {option}: {UNSAFE_OPTIONS[option]}")


def _options(argument: str) -> list[str]:
    """Return the options in one argument, without their values: two for -xt, one for --vars=x, none for a value."""
    if argument.startswith("--"):
        return [argument.partition("=")[0]]
    letters = argument[1:] if argument.startswith("-") else ""
    end = next((place for place, letter in enumerate(letters, 1) if letter in SHORT_WITH_VALUE), len(letters))
    return [f"-{letter}" for letter in letters[:end]]
