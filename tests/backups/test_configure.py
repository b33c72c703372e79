"""`insights backup configure`: what it writes in each environment, what it refuses, and what it never prints."""

from __future__ import annotations

import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.backups.server import KEY, settings_for
from support.pooler import Forwarder

from orchestration.backups.configure import Configuration, plan, write
from orchestration.backups.program import Account
from orchestration.cli import commands
from orchestration.config.files import Settings, load_settings
from orchestration.errors import InsightsError, MisconfiguredError
from orchestration.warehouse.connection import open_session
from orchestration.warehouse.database import Database
from workshop.services import LocalPostgres, remove_state, state_root
from workshop.services.pgbackrest import program_for_the_server
from workshop.services.postgres import SOCKET_NAME

pytestmark = pytest.mark.services

CRON = re.compile(r"^([-\d*/]+ [-\d*/]+ \* \* \*|[-\d]+ \d+ 1 \* \*) \S+ set -a; \. \S+; (insights backup .*)$", re.M)

# A third of the RPO, 1,440, 60 and 15 minutes, in seconds; and what cron starts.
EXPECTED: dict[str, tuple[int, list[str]]] = {
    "dev": (28_800, ["run full"]),
    "staging": (1200, ["run full", "run airflow", "drill"]),
    "prod": (300, ["run full", "run incremental", "run airflow", "drill"]),
    "offline": (300, []),
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    made = state_root(tmp_path)
    monkeypatch.setenv("PATH", str(program_for_the_server(made)), prepend=":")
    yield made
    remove_state(made)


def planned(settings: Settings, url: str) -> Configuration:
    with open_session(url, autocommit=True) as connection:
        return plan(settings, Database(settings, connection))


def section(text: str, name: str) -> dict[str, str]:
    lines = text.split(f"\n[{name}]\n")[1].split("\n[", maxsplit=1)[0].strip().splitlines()
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod", "offline"])
def test_each_environment_gets_its_schedule_and_a_third_of_the_rpo(
    environment: str, state: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeout, commands_of_cron = EXPECTED[environment]
    monkeypatch.setenv("INSIGHTS_BACKUP_AIRFLOW_DIR", "/srv/dumps")
    settings = settings_for(state, environment, postgres.url("postgres", "postgres"), monkeypatch)
    files = planned(settings, postgres.url("postgres", "postgres")).files
    texts = {path.name: text for path, text in files.items()}
    assert f"archive_timeout = '{timeout}'\n" in texts["postgresql.conf"]
    assert "archive_mode = 'on'\n" in texts["postgresql.conf"]
    assert [command for _, command in CRON.findall(texts["crontab"])] == [
        f"insights backup {c}" for c in commands_of_cron
    ]
    # A host without Airflow has no folder for its dumps, and no line that would fail each time.
    monkeypatch.delenv("INSIGHTS_BACKUP_AIRFLOW_DIR")
    without = planned(load_settings(), postgres.url("postgres", "postgres")).files[state / "backup/crontab"]
    assert CRON.findall(without) == [line for line in CRON.findall(texts["crontab"]) if "airflow" not in line[1]]
    options = section(texts["pgbackrest.conf"], "global")
    assert (options["repo1-path"], options["repo1-retention-full"]) == (str(state / "repository"), "30")
    assert "repo1-cipher-pass" not in options
    server = section(texts["pgbackrest.conf"], "insights")
    assert server["pg1-path"] == str(postgres.socket_dir / "data")
    assert server["pg1-socket-path"] == str(postgres.socket_dir)


def test_files_are_closed_to_others_and_secrets_are_never_printed(
    state: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url("postgres", "postgres")
    monkeypatch.setenv("INSIGHTS_BACKUP_KEY", KEY)
    settings = settings_for(state, "prod", url, monkeypatch)
    first = planned(settings, url)
    write(first)
    write(planned(settings, url))  # again
    assert section((state / "backup/pgbackrest.conf").read_text("utf-8"), "global")["repo1-cipher-pass"] == KEY
    for path in first.files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_uid == first.account.user
    assert sorted(path.name for path in (state / "backup").iterdir()) == [
        "crontab",
        "pgbackrest.conf",
        "postgresql.conf",
    ]
    for arguments in (("--yes",), (), ("--format", "json")):
        result = CliRunner().invoke(commands, ["backup", "configure", "--admin-url", url, *arguments])
        assert result.exit_code == 0, result.output
        assert KEY not in result.output
        assert "archive_mode" in result.output
    assert "repo1-cipher-pass=***" in CliRunner().invoke(commands, ["backup", "configure", "--admin-url", url]).output


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"INSIGHTS_BACKUP_REPOSITORY": ""}, "set INSIGHTS_BACKUP_REPOSITORY to an absolute path"),
        ({"INSIGHTS_BACKUP_REPOSITORY": "backups"}, "'backups': must be an absolute path"),
        ({"INSIGHTS_BACKUP_REPOSITORY": "/srv/../data"}, "must be an absolute path"),
        ({"INSIGHTS_BACKUP_REPOSITORY": "DATA/backups"}, "must not be in the data folder"),
        ({"INSIGHTS_BACKUP_REPOSITORY": "s3://B"}, "must be s3://bucket"),
        ({"INSIGHTS_BACKUP_REPOSITORY": "s3://bucket"}, "set INSIGHTS_BACKUP_S3_KEY and INSIGHTS_BACKUP_S3_SECRET"),
        ({"INSIGHTS_BACKUP_KEY": "short"}, "INSIGHTS_BACKUP_KEY must have at least 32 bytes"),
        ({"INSIGHTS_BACKUP_KEY": f"{KEY}\nrepo1-path=/"}, "no blanks"),
        ({"PATH": "/nowhere"}, "pgbackrest was not found on PATH"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(
    variables: dict[str, str], says: str, state: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url("postgres", "postgres")
    settings = settings_for(state, "prod", url, monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("DATA", str(postgres.socket_dir / "data")))
    with pytest.raises(MisconfiguredError, match=re.escape(says)):
        planned(settings, url)


def test_a_bucket_needs_no_folder_and_its_options_are_written(
    state: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url("postgres", "postgres")
    settings = settings_for(
        state, "prod", url, monkeypatch, s3_endpoint="minio.example.org:9000", s3_ca_file="/etc/ca.pem"
    )
    for name, value in {"REPOSITORY": "s3://orgo-backups/insights", "S3_KEY": "access", "S3_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"INSIGHTS_BACKUP_{name}", value)
    made = planned(settings, url)
    assert made.repository is None
    options = section(made.files[made.directory / "pgbackrest.conf"], "global")
    expected = {
        "s3-bucket": "orgo-backups",
        "path": "/insights",
        "s3-endpoint": "minio.example.org",
        "s3-key": "access",
    }
    expected |= {
        "storage-port": "9000",
        "s3-uri-style": "path",
        "s3-key-secret": "hidden",
        "storage-ca-file": "/etc/ca.pem",
    }
    assert {name: options[f"repo1-{name}"] for name in expected} == expected


def test_a_role_that_may_not_read_settings_is_told_who_may(
    state: Path, postgres: LocalPostgres, prepared_sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url("postgres", "orgo_insights_ro")
    settings = settings_for(state, "prod", url, monkeypatch)
    with pytest.raises(InsightsError, match="a superuser, or of a member of pg_read_all_settings"):
        planned(settings, url)


def test_another_user_is_told_as_whom_to_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(InsightsError, match=r"Backups belong to user 101, .* sudo -u postgres insights backup check"):
        Account(101, 101).check()


def test_pgbackrest_connects_under_the_name_of_the_account_where_the_administrator_came_by_tcp(
    state: Path, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    superuser = postgres.url("postgres", "postgres")
    settings = settings_for(state, "prod", superuser, monkeypatch)
    with open_session(superuser, autocommit=True) as connection:
        connection.execute("create role chief superuser login")
    try:
        with Forwarder(postgres.socket_dir / SOCKET_NAME) as port:
            found = planned(settings, f"postgresql://chief@127.0.0.1:{port}/postgres?sslmode=disable")
        by_socket = planned(settings, postgres.url("postgres", "chief"))
    finally:
        with open_session(superuser, autocommit=True) as connection:
            connection.execute("drop role chief")
    users = [
        section(made.files[made.directory / "pgbackrest.conf"], "insights")["pg1-user"] for made in (found, by_socket)
    ]
    assert users == [pwd.getpwuid(found.account.user).pw_name, "chief"]
