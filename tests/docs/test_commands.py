"""Every command and every SQL statement of the documents runs on the sample, or says here why it does not."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support import saved_parse
from support.dashboards.dashboard_scenario import patient_commands
from support.documentation import read
from support.documented_commands import Block, blocks
from support.reviews.core_services import CoreServices
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.config.files import PROJECT
from orchestration.config.variables import VARIABLES
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalRedis

PAGES = {
    name: text
    for name, text in read(PROJECT, "*.md").items()
    if name in {"README.md", "CONTRIBUTING.md"} or (name.startswith("docs/") and name.count("/") == 1)
}
BLOCKS = list(blocks(PAGES))
OF_A_RECIPE = "a part of a recipe, which tests/project/test_recipes.py follows on a copy of the project"
NOT_RUN = {
    r"\./dev (?!insights )": "changes the checkout or its services; tests/workshop runs the subcommands of ./dev",
    r"\. \.venv/bin/activate": "changes the shell",
    r"pip install ": "loads packages from the network",
    r"export SUPERSET_": "of a server that is loaded from the network",
    r"psql ": "asks for a password on a terminal",
    r"pre-commit install": "changes the hooks of the checkout",
    r"insights api$": "runs until it is ended; tests/api starts it in a process of its own",
    r"PYTHONPATH=tests python ": "writes the state that the next test of upgrades begins with",
    r"eval ": "a line of a shell's start-up file; tests/cli/test_what_commands_want.py completes a command",
    r"airflow dags (trigger|list)": "needs the metadata of an Airflow; tests/workshop/services triggers the DAGs",
    r"insights build --select report_open_cases": OF_A_RECIPE,
    r"insights dashboard open_cases ": OF_A_RECIPE,
}
# What is added to a command that takes long: a small selection, or --help, which still refuses unknown options.
ADDED = {
    r"dbt build": "--select tokens",
    # Tests of builds, of tests/warehouse/test_late_rows.py and tests/dags/test_dag_import_errors.py run them.
    r"insights (build|reconcile|rebuild|manifest)": "--help",
    r"insights warm": "--dashboard task_volume",
    # Its exit code says what this machine lacks; tests/monitoring/test_doctor.py runs it.
    r"insights doctor": "--help",
}
WRITTEN = ("trends.svg", "limits.png")  # files that commands write
CHANGES_NOTHING = "values, messages, keys and pieces of files, no commands"
OTHERS = {"docs/configuration.md", "docs/dashboards.md", "docs/incident-import.md", "docs/meta-keys.md"}
OTHERS |= {
    "docs/bi-tools.md",
    "docs/business-time.md",
    "docs/monitoring.md",
    "docs/reports-api.md",
    "docs/source-contract.md",
}
KEY = "a key for tests, which is long enough: 0123456789"
WITH_COMMANDS = sorted({block.page for block in BLOCKS if block.kind == "shell"})


def test_every_block_is_shell_or_sql_or_known_to_be_neither() -> None:
    assert {block.page for block in BLOCKS if block.kind == "other"} == OTHERS, CHANGES_NOTHING
    assert len([block for block in BLOCKS if block.kind == "sql"]) >= 6


def test_each_reason_is_still_needed() -> None:
    lines = [line for block in BLOCKS if block.kind == "shell" for line in block.lines]
    assert [pattern for pattern in (*NOT_RUN, *ADDED) if not any(re.match(pattern, line) for line in lines)] == []


@pytest.fixture
def variables(built: Warehouse, redis_server: LocalRedis, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return values for the variables that a page may name, for services of the test; the database knows the key."""
    with pytest.MonkeyPatch.context() as monkeypatch, connect(built.admin_url) as connection:
        monkeypatch.setenv("INSIGHTS_EXPORT_KEY", KEY)
        initialize(connection, built.settings)
    with CoreServices.started() as core:
        yield {
            "INSIGHTS_ADMIN_URL": built.admin_url,
            "INSIGHTS_CORE_API_TOKEN": "a-token",
            "INSIGHTS_CORE_API_URL": core.url,
            "INSIGHTS_EXPORT_DIR": str(tmp_path),
            "INSIGHTS_EXPORT_KEY": KEY,
            "INSIGHTS_EXPORT_WAREHOUSE_URL": built.postgres.url(
                built.name, built.settings.insights.warehouse.export_user
            ),
            "INSIGHTS_READER_PASSWORD": KEY,
            "INSIGHTS_REDIS_URL": redis_server.url(),
        }


@pytest.mark.services
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_succeed(
    page: str, built: Warehouse, variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient_commands(monkeypatch)
    assert variables.keys() <= {variable.name for variable in VARIABLES}
    # A page has to name every variable that its commands need.
    for name in (name for name in variables if name in PAGES[page]):
        monkeypatch.setenv(name, variables[name])
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_AS_OF", "2026-01-01")
    names = _placeholders(built) | {name: str(tmp_path / name) for name in WRITTEN}
    for block in (block for block in BLOCKS if block.page == page and block.kind == "shell"):
        for line in (line for line in block.lines if not any(re.match(pattern, line) for pattern in NOT_RUN)):
            _run(line, names)


def _placeholders(built: Warehouse) -> dict[str, str]:
    """Return a value of the sample for each name that stands for one; a review case has failed, to be retried."""
    case = built.value("select case_id::text from insights_ops.review_requests order by 1 limit 1")
    with connect_as(built.admin_url) as connection:
        query = "insert into insights_ops.review_deliveries values (%s, 'failed', 1, '')"
        connection.execute(query, [case])
    user = "select u.id::text from user_accounts as u join organizations as o on u.organization_id = o.id"
    return {
        "CASE_ID...": case,
        "PATTERN_ID": built.value("select pattern_id::text from insights.pattern_weekly order by 1 limit 1"),
        "SLUG": "sample-hospital",
        "USER_ID": built.value(f"{user} where o.slug = 'sample-hospital' and u.status = 'active' order by 1 limit 1"),
        "st-mary": "sample-hospital",
    }


def _run(line: str, names: dict[str, str]) -> None:
    """Run a line; the values of `export` are examples, so only the names of its variables are looked at."""
    added = next((text for pattern, text in ADDED.items() if re.match(pattern, line)), "")
    words = [names.get(word, word) for word in shlex.split(f"{line.removeprefix('./dev ')} {added}")]
    if words[0] == "export":
        known = {variable.name for variable in VARIABLES}
        assert {word.partition("=")[0] for word in words[1:]} <= known, line
    elif words[0] == "eval":
        assert words[1:] == ["$(insights env)"]
        _succeed(line, ["env"])
    elif words[0] == "dbt":
        _dbt(line, words)
    else:
        assert words[0] == "insights", line
        _succeed(line, words[1:])
        after = itertools.islice(itertools.dropwhile("--select".__ne__, words), 1, None)
        chosen = itertools.takewhile(lambda word: word[0] != "-", after)
        assert [word for word in chosen if not [*PROJECT.glob(f"models/**/{word}.sql")]] == [], line


def _succeed(line: str, arguments: list[str]) -> str:
    done = CliRunner().invoke(commands, arguments)
    error = done.exception if isinstance(done.exception, InsightsError) else ""
    assert done.exit_code == 0, f"{line}: {done.output}{error}"
    return done.stdout


def _dbt(line: str, words: list[str]) -> None:
    """Run plain dbt with the variables that `insights env` prints."""
    exports = _succeed(line, ["env"])
    given = [word.partition("=") for word in shlex.split(exports) if "=" in word]
    saved_parse.save({name: value for name, _, value in given})
    program = str(Path(sys.executable).with_name("dbt"))
    script = f'{exports}\nexec "$0" "$@"'
    done = subprocess.run(
        ["bash", "-c", script, program, *words[1:]], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


def _statements() -> list[Block]:
    return [block for block in BLOCKS if block.kind == "sql"]


@pytest.mark.services
def test_the_sql_of_the_documents_is_valid(built: Warehouse) -> None:
    with connect_as(built.admin_url) as connection:
        # The foreign server of the example is this server itself.
        port = connection.info.port
        places = {
            "host '...'": f"host '{built.postgres.socket_dir}', port '{port}'",
            "dbname 'orgo'": f"dbname '{built.name}'",
            "user '...', password '...'": "user 'postgres', password_required 'false'",
            "user mapping for orgo_insights_etl": "user mapping for postgres",
        }
        for block in _statements():
            text = "\n".join(block.lines)
            for example, value in places.items():
                text = text.replace(example, value)
            connection.execute("begin")
            connection.execute(text.encode())
            connection.execute("rollback")
