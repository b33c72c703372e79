"""NAME_FILE names a file with the value of NAME, for every secret and address, and no message quotes the file."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from support.command import Fails
from support.config_project import ConfigProject

from orchestration.cli.options import admin_url
from orchestration.config import variables
from orchestration.config.files import PROJECT, load_settings
from orchestration.config.secrets.by_file import LARGEST, Variables, takes_file
from orchestration.config.show import resolved_values
from orchestration.config.variables import VARIABLES
from orchestration.errors import MisconfiguredError
from orchestration.warehouse.connection import child_environment

pytest_plugins = ["support.config.project_copy", "support.command"]

WHOLE = "the whole environment"
KEY = "0f8c1d3b5a79e2460f8c1d3b5a79e2461b"
IN_FILES = {
    "INSIGHTS_WAREHOUSE_URL": "postgresql://etl:pw@h/orgo",
    "INSIGHTS_EXPORT_WAREHOUSE_URL": "postgresql://export:pw@h/orgo",
    "INSIGHTS_SERVING_URL": "postgresql://serving:pw@h/orgo",
    "INSIGHTS_REDIS_URL": "redis://:pw@h/1",
    "INSIGHTS_CORE_API_URL": "https://core.example.org",
    "INSIGHTS_CORE_API_TOKEN": "token of Core Services",
    "INSIGHTS_ALERT_WEBHOOK_URL": "https://chat.example.org/x",
    "INSIGHTS_ALERT_SMTP_URL": "smtp://u:pw@mail.example.org",
    "INSIGHTS_CACHE_KEY": KEY,
    "INSIGHTS_TOKEN_SECRET": KEY[::-1],
    "INSIGHTS_PROXY_SECRET": KEY.upper(),
    "INSIGHTS_EXPORT_KEY": KEY[5:] + KEY[:5],
    "INSIGHTS_ADMIN_URL": "postgresql://postgres:pw@h/orgo",
    "INSIGHTS_READER_PASSWORD": "password of a reader",
    "INSIGHTS_OPERATIONAL_URL": "postgresql://orgo:pw@h/orgo",
    "INSIGHTS_BACKUP_KEY": KEY[7:] + KEY[:7],
    "INSIGHTS_BACKUP_S3_KEY": "access key",
    "INSIGHTS_BACKUP_S3_SECRET": "secret of the access key",
    "SNOWFLAKE_PASSWORD": "password of the role that loads",
    "PRIVATE_KEY_PASSPHRASE": "passphrase of a key",
}


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write each secret with a newline into a file of its own, and name the files in the environment."""
    for name, value in IN_FILES.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    return tmp_path


def test_these_are_all_variables_that_hold_a_secret() -> None:
    assert set(IN_FILES) == {variable.name for variable in VARIABLES if takes_file(variable.name)}
    others = {v.name for v in VARIABLES if v.is_secret} - set(IN_FILES)
    assert others == {"AIRFLOW__CORE__FERNET_KEY"}  # which Airflow reads itself


def test_every_secret_is_read_from_its_file(secrets: Path) -> None:
    settings = load_settings()
    read = {
        "INSIGHTS_WAREHOUSE_URL": settings.warehouse_url,
        "INSIGHTS_EXPORT_WAREHOUSE_URL": settings.export_url,
        "INSIGHTS_REDIS_URL": settings.redis_url,
        "INSIGHTS_CORE_API_URL": settings.core_api_url,
        "INSIGHTS_CORE_API_TOKEN": settings.core_api_token,
        "INSIGHTS_ALERT_WEBHOOK_URL": settings.alert_webhook,
        "INSIGHTS_ALERT_SMTP_URL": settings.alert_smtp,
        "INSIGHTS_CACHE_KEY": (settings.cache_key or b"").decode(),
        "INSIGHTS_TOKEN_SECRET": (settings.token_secret or b"").decode(),
        "INSIGHTS_PROXY_SECRET": (settings.proxy_secret or b"").decode(),
        "INSIGHTS_EXPORT_KEY": settings.export_key.decode(),
        "INSIGHTS_BACKUP_KEY": settings.backup_key,
    }
    assert read == {name: IN_FILES[name] for name in read}
    assert settings.has_export_key
    assert {name: value for name, value in Variables().items() if name in IN_FILES} == IN_FILES


def _say(admin_url: str) -> None:
    click.echo(admin_url)


def test_an_option_takes_its_variable_from_a_file(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.command()(admin_url(_say))
    assert CliRunner().invoke(command).output == "postgresql://postgres:pw@h/orgo\n"
    assert CliRunner().invoke(command, ["--admin-url", "postgresql:///x"]).output == "postgresql:///x\n"
    monkeypatch.delenv("INSIGHTS_ADMIN_URL_FILE")
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", "postgresql:///y")
    assert CliRunner().invoke(command).output == "postgresql:///y\n"


def test_dbt_learns_neither_the_key_of_exports_nor_where_it_is(secrets: Path) -> None:
    assert [name for name in child_environment(None, {}) if name.startswith("INSIGHTS_EXPORT_KEY")] == []


def test_a_reference_of_another_name_is_read_from_a_file_too(project: ConfigProject, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pw")
    project.edit('"${INSIGHTS_WAREHOUSE_URL}"', '"postgresql://etl:${DB_PASSWORD}@h/orgo"')
    line = project.line_of("${DB_PASSWORD}")
    values = project.check(DB_PASSWORD_FILE=str(tmp_path / "password"))
    assert [p for p in values.problems if p.line == line] == []
    assert [p.key for p in project.check().problems if p.line == line] == ["insights.warehouse.connection_url"]


def test_the_values_are_read_again_by_the_next_settings(secrets: Path) -> None:
    assert load_settings().core_api_token == IN_FILES["INSIGHTS_CORE_API_TOKEN"]
    (secrets / "INSIGHTS_CORE_API_TOKEN").write_text("rotated")
    assert load_settings().core_api_token == "rotated"  # noqa: S105 - a stand-in


def test_the_newline_at_the_end_is_no_part_of_the_value(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content, value in ((b"a b", "a b"), (b" a\r\n", " a"), (b"\xff\n", "\udcff")):
        file.write_bytes(content)
        assert Variables({"INSIGHTS_CORE_API_TOKEN_FILE": str(file)})["INSIGHTS_CORE_API_TOKEN"] == value


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"first pw\nsecond pw\n", f"the file must have one line of text of at most {LARGEST} bytes"),
        (b"pw\0", f"the file must have one line of text of at most {LARGEST} bytes"),
        (b"p" * LARGEST + b"w", f"the file must have one line of text of at most {LARGEST} bytes"),
    ],
)
@pytest.mark.parametrize("name", ["INSIGHTS_WAREHOUSE_URL", "INSIGHTS_EXPORT_KEY", "INSIGHTS_READER_PASSWORD"])
def test_a_file_that_holds_no_value_is_an_error(
    name: str, content: bytes | None, says: str, project: ConfigProject, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    given = {f"{name}_FILE": str(file)}
    assert project.said(**given) == [f'environment: {name}_FILE is "{file}": {says}']
    with pytest.raises(MisconfiguredError, match=re.escape(f'{name}_FILE is "{file}": {says}.')):
        Variables(given).get(name)


def test_a_folder_and_a_pipe_are_no_files(project: ConfigProject, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        said = f'environment: INSIGHTS_CORE_API_TOKEN_FILE is "{place}": is not a file'
        assert project.said(INSIGHTS_CORE_API_TOKEN_FILE=str(place)) == [said]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_an_error(project: ConfigProject, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o000)
    (said,) = project.said(INSIGHTS_CORE_API_TOKEN_FILE=str(tmp_path / "secret"))
    assert said.endswith("the file cannot be read (Permission denied)")


def test_both_ways_at_once_are_an_error_that_shows_neither_value(secrets: Path, fails: Fails) -> None:
    err = fails("status", INSIGHTS_CORE_API_TOKEN="another pw")  # noqa: S106 - it must not come back
    assert "INSIGHTS_CORE_API_TOKEN is set too; unset one of the two" in err
    assert "another pw" not in err
    assert "token of Core" not in err


def test_a_value_of_the_wrong_kind_is_not_quoted(project: ConfigProject, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the password of something else")
    for name in ("INSIGHTS_REDIS_URL", "INSIGHTS_CORE_API_URL", "INSIGHTS_EXPORT_KEY"):
        (said,) = project.said(**{f"{name}_FILE": str(tmp_path / "secret")})
        assert f"{name} is ***" in said
        assert "something else" not in said


def test_show_says_which_file_and_masks_what_is_in_it(secrets: Path) -> None:
    shown = {value.key: value for value in resolved_values(load_settings(), os.environ)}
    for key, name in (
        ("insights.warehouse.connection_url", "INSIGHTS_WAREHOUSE_URL"),
        ("insights.reviews.token", "INSIGHTS_CORE_API_TOKEN"),
    ):
        assert (shown[key].value, shown[name].value) == ("***", "***")
        assert shown[name].origin.startswith(f"the file {secrets / name}; used by")
    assert not any("pw" in value.value for value in shown.values())


def test_a_mistyped_name_and_a_file_for_airflow_are_warnings(project: ConfigProject) -> None:
    assert "Did you mean INSIGHTS_CACHE_KEY_FILE?" in "".join(project.said("warning", INSIGHTS_CASH_KEY_FILE="/x"))
    assert "this variable is unknown" in "".join(project.said("warning", INSIGHTS_THREADS_FILE="/x"))
    said = "".join(project.said("warning", AIRFLOW__CORE__FERNET_KEY_FILE="/run/fernet"))
    assert 'set AIRFLOW__CORE__FERNET_KEY_CMD="cat /run/fernet"' in said


# Modules that look at the whole environment, and what they do with it.
WHOLE_ENVIRONMENT = {
    "orchestration/config/secrets/by_file.py": "reads the files",
    "orchestration/config/files.py": "looks for INSIGHTS_ENV, and gives the checks what Variables reads",
    "orchestration/cli/__init__.py": "sets what the options say",
    "orchestration/cli/config.py": "gives load_settings an environment with another INSIGHTS_ENV",
    "orchestration/warehouse/connection.py": "gives dbt what it inherits, and asks whether variables of libpq are set",
    "orchestration/backups/run.py": "expands airflow_directory, which is no secret",
    "orchestration/replication/engine.py": "sets what dlt reads when it is imported",
}


def test_no_code_reads_such_a_variable_past_its_file() -> None:
    found = {
        name: reads - ({WHOLE} if name in WHOLE_ENVIRONMENT else set())
        for file in PROJECT.glob("orchestration/**/*.py")
        if (reads := _reads_past_files(file.read_text("utf-8"))) and (name := str(file.relative_to(PROJECT)))
    }
    assert {name: reads for name, reads in found.items() if reads} == {}


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ('import os\nos.environ.get(EXPORT_KEY, "")', {"INSIGHTS_EXPORT_KEY"}),
        ('import os\nos.environ["INSIGHTS_REDIS_URL"]', {"INSIGHTS_REDIS_URL"}),
        ('from os import environ as e\ne.get("INSIGHTS_REDIS_URL")', {WHOLE}),
        ("import os as o\no.environ.get(EXPORT_KEY)", {"INSIGHTS_EXPORT_KEY"}),
        ('import os\nos.getenv("INSIGHTS_ADMIN_URL")', {"INSIGHTS_ADMIN_URL"}),
        ("import os\nvalues = os.environ\nvalues.get(EXPORT_KEY)", {WHOLE}),
        ("import os\nexpand(text, os.environ)", {WHOLE}),
        ("import os\nos.environ.get(name)", {WHOLE}),
        ('import os\nos.environ.get("NO_COLOR") or os.environ.setdefault("INSIGHTS_ENV", "dev")', set()),
        ("import os\nos.environ.get(AS_OF)", set()),
    ],
)
def test_each_way_to_read_a_variable_is_noticed(code: str, reads: set[str]) -> None:
    assert _reads_past_files(code) == reads


def _reads_past_files(code: str) -> set[str]:
    """Return the names in files that code reads from os.environ, and WHOLE if it does anything but read one name."""
    tree = ast.parse(code)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="os", names=names) if {"environ", "getenv"} & {name.name for name in names}:
                found.add(WHOLE)
            case ast.Attribute(attr="environ"):
                found.add(_name(parents[node], parents))
            case ast.Attribute(attr="getenv"):
                found.add(_name(node, parents))
    return {name for name in found if name == WHOLE or name in IN_FILES}


def _name(around: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> str:
    """Return the variable that an expression around `os.environ` or `os.getenv` reads, WHOLE if it is not known."""
    match around:
        case ast.Subscript(slice=key):
            pass
        case ast.Attribute(attr="get" | "getenv" | "setdefault"):
            match parents[around]:
                case ast.Call(func=called, args=[key, *_]) if called is around:
                    pass
                case _:
                    return WHOLE
        case _:
            return WHOLE
    match key:
        case ast.Constant(value=str(name)):
            return name
        case ast.Name(id=name):
            return str(getattr(variables, name, WHOLE))
        case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id=name)), *_]):
            return str(getattr(variables, name, WHOLE))
    return WHOLE
