"""One URL for everything: as libpq's variables, and over TLS with a password full of special characters."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner
from support import saved_parse
from support.command import Fails
from support.plain_dbt import plain_dbt
from support.saved_parse import save_for_insights
from support.tls_server import ADMIN_PASSWORD, TlsServer
from support.warehouse import NO_TESTS, Warehouse

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings, load_settings
from orchestration.config.variables import VARIABLES
from orchestration.dbt import process_environment, profile_variables
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import child_environment, connection_variables, libpq_environment
from workshop.operational import create_operational_schema

pytest_plugins = ["support.command"]

# Whatever a shell, a URL, Jinja or YAML might take for its own.
PASSWORD = """p@ss:w/rd? 100%25 #[x]&a=b'"\\$HOME `id` {{ 1 }} äß€"""  # noqa: S105


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        (
            "postgresql://orgo_insights_etl:p%40ss%3Aw%2Frd%2525@db.example.org:6432/orgo?sslmode=verify-full",
            {"PGHOST": "db.example.org", "PGPORT": "6432", "PGUSER": "orgo_insights_etl", "PGPASSWORD": "p@ss:w/rd%25"}
            | {"PGDATABASE": "orgo", "PGSSLMODE": "verify-full"},
        ),
        ("postgresql://etl@/orgo?host=%2Ftmp%2Fa%20b", {"PGHOST": "/tmp/a b", "PGUSER": "etl", "PGDATABASE": "orgo"}),  # noqa: S108
        (
            "postgres://etl@[2001:db8::1]:5433/orgo",
            {"PGHOST": "2001:db8::1", "PGPORT": "5433", "PGUSER": "etl"} | {"PGDATABASE": "orgo"},
        ),
        ("postgresql://%2Frun%2Fpg/Orgo%20v3", {"PGHOST": "/run/pg", "PGDATABASE": "Orgo v3"}),
        (
            "postgresql://etl@h/orgo?sslrootcert=%2Fetc%2Fca.pem&application_name=x&connect_timeout=3",
            {"PGHOST": "h", "PGUSER": "etl", "PGDATABASE": "orgo", "PGSSLROOTCERT": "/etc/ca.pem"}
            | {"PGCONNECT_TIMEOUT": "3"},
        ),
        (
            f"postgresql://etl:{quote(PASSWORD, safe='')}@h/orgo",
            {"PGHOST": "h", "PGUSER": "etl", "PGPASSWORD": PASSWORD} | {"PGDATABASE": "orgo"},
        ),
        ("host=h user=etl dbname=orgo", {"PGHOST": "h", "PGUSER": "etl", "PGDATABASE": "orgo"}),
    ],
)
def test_a_url_becomes_libpqs_variables(url: str, variables: dict[str, str]) -> None:
    assert libpq_environment(url) == variables


@pytest.mark.parametrize(
    "url",
    [
        "mysql://etl:s3cret@h/orgo",
        "postgresql://etl:s3cret%zz@h/orgo",
        'postgresql://etl:s3cret "x@h/orgo',
        "postgresql://h/orgo?nonsense=1",
        "s3cret dbname=orgo",
    ],
)
def test_an_invalid_url_is_refused_with_an_example_and_without_the_password(url: str) -> None:
    with pytest.raises(
        InsightsError, match=r"INSIGHTS_WAREHOUSE_URL cannot be read .* it must be like postgresql://"
    ) as caught:
        libpq_environment(url)
    assert "s3cret" not in str(caught.value)


def test_a_parameter_that_dbt_could_not_be_given_is_refused_by_name() -> None:
    with pytest.raises(InsightsError, match="parameters that cannot be passed on: sslpassword"):
        libpq_environment("postgresql://etl@h/orgo?sslpassword=x&keepalives_idle=5&channel_binding=prefer")


@pytest.mark.services
def test_a_child_gets_the_variables_that_libpq_used_for_the_url_and_no_others(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {"PGUSER": "of another server", "PGDATABASE": "of another server", "PGHOST": "/of/another/server"}
    used = {"PGPASSWORD": "for this server", "PGSSLMODE": "disable"}
    for name, value in (elsewhere | used | {"PGDATESTYLE": "SQL, DMY"}).items():
        monkeypatch.setenv(name, value)
    secret = [variable.name for variable in VARIABLES if variable.is_secret]
    assert {"INSIGHTS_EXPORT_KEY", "INSIGHTS_BACKUP_KEY", "AIRFLOW__CORE__FERNET_KEY"} <= set(secret)
    for name in secret:
        monkeypatch.setenv(name, "hidden")
        monkeypatch.setenv(f"{name}_FILE", "/hidden")
    environment = child_environment(database, {"INSIGHTS_ENV": "dev"})
    assert [name for name, value in environment.items() if "hidden" in value] == []
    assert not {environment[name] for name in elsewhere} & set(elsewhere.values())
    assert {name: environment[name] for name in used} == used
    assert (environment["PGUSER"], environment["INSIGHTS_ENV"]) == ("postgres", "dev")
    # A session that dbt's nodes share would go back to the style of the variable, in which dbt misreads dates.
    assert environment["PGDATESTYLE"] == "ISO, MDY"
    # A value of the URL takes precedence over the variable.
    separator = "&" if "?" in database else "?"
    assert child_environment(f"{database}{separator}sslmode=allow", {})["PGSSLMODE"] == "allow"
    # Without a URL the caller's own variables count.
    assert child_environment(None, {})["PGUSER"] == "of another server"


@pytest.mark.services
def test_dbt_connects_to_the_server_that_libpq_chooses(
    prepared: Warehouse, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket, name = str(prepared.postgres.socket_dir), prepared.name
    (tmp_path / "services").write_text(f"[orgo]\nhost={socket}\ndbname={name}\nuser=orgo_insights_etl\n")
    several = f"host=/nowhere,{socket} port=5432,5432 dbname={name} user=orgo_insights_etl channel_binding=prefer"
    cases = [
        (several + " target_session_attrs=read-write", {}),
        (f"postgresql://orgo_insights_etl@/{name}?keepalives_idle=5", {"PGHOST": socket}),
        ("service=orgo", {"PGSERVICEFILE": str(tmp_path / "services")}),
    ]
    for url, variables in cases:
        with monkeypatch.context() as patch:
            patch.setenv("INSIGHTS_WAREHOUSE_URL", url)
            for variable, value in variables.items():
                patch.setenv(variable, value)
            environment = child_environment(url, {})
            assert {k: environment[k] for k in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER")} == {
                "PGHOST": socket,
                "PGPORT": "5432",
                "PGDATABASE": name,
                "PGUSER": "orgo_insights_etl",
            }, url
            shown = CliRunner().invoke(commands, ["env"], catch_exceptions=False)
            exported = dict(shlex.split(line)[1].split("=", 1) for line in shown.stdout.splitlines())
            assert exported.items() <= process_environment(settings, url).items(), url
            assert {"PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "INSIGHTS_SCHEMA", "INSIGHTS_THREADS"} <= set(exported)
            command = ["build", "--as-of", "2026-01-01", "--select", "stg_roles", *NO_TESTS]
            done = CliRunner().invoke(commands, command)
            assert done.exit_code == 0, done.output[-2000:]
            assert prepared.value("select to_regclass('insights_staging.stg_roles') is not null") is True
            prepared.execute("drop view insights_staging.stg_roles")


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with TlsServer.started(tmp_path_factory.mktemp("tls")) as server:
        yield server


def _insights(*arguments: str) -> list[object]:
    return [Path(sys.executable).with_name("insights"), *arguments]


@pytest.mark.services
def test_a_password_full_of_special_characters_over_tls(tls_server: TlsServer, tmp_path: Path, fails: Fails) -> None:
    with psycopg.connect(tls_server.admin_url("orgo")) as connection:
        create_operational_schema(connection)
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    def run(command: list[object], **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(part) for part in command],
            cwd=PROJECT,
            env=environment | variables,
            text=True,
            capture_output=True,
            check=False,
        )

    def in_file(name: str, text: str) -> str:
        (tmp_path / name).write_text(f"{text}\n")
        (tmp_path / name).chmod(0o600)
        return str(tmp_path / name)

    administrator = {"INSIGHTS_ADMIN_URL_FILE": in_file("admin", tls_server.admin_url("orgo"))}
    prepared = CliRunner().invoke(commands, ["init"], env=administrator)
    assert prepared.exit_code == 0, prepared.output
    tls_server.set_password("orgo_insights_etl", PASSWORD)
    url = tls_server.url("orgo", "orgo_insights_etl", PASSWORD)
    assert "sslmode=require" in url

    save_for_insights(load_settings(), url, as_of="2026-01-01")
    wrapped = run(
        _insights("build", "--as-of", "2026-01-01", "--select", "stg_roles", *NO_TESTS),
        INSIGHTS_WAREHOUSE_URL_FILE=in_file("warehouse", url),
    )
    assert wrapped.returncode == 0, wrapped.stdout[-2000:]

    saved_parse.save(connection_variables(url) | profile_variables(load_settings()))  # those of `insights env`
    script = 'eval "$(insights env)" && exec dbt run --select stg_label_definitions'
    plain = run(["bash", "-euc", script], INSIGHTS_WAREHOUSE_URL=url)
    assert plain.returncode == 0, plain.stdout[-2000:]

    # A plain dbt knows no NAME_FILE, but libpq has a file for passwords.
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    by_libpq = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(tls_server.port),
        "PGDATABASE": "orgo",
        "PGUSER": "orgo_insights_etl",
        "PGSSLMODE": "require",
        "PGPASSFILE": in_file("passwords", f"*:*:*:*:{escaped}"),
    }
    saved_parse.save(by_libpq)
    plainer = run(["dbt", "run", "--select", "stg_learning_groups"], **by_libpq)
    assert plainer.returncode == 0, plainer.stdout[-2000:]

    with psycopg.connect(tls_server.admin_url("orgo")) as connection:
        views = connection.execute("select viewname from pg_views where schemaname = 'insights_staging' order by 1")
        assert views.fetchall() == [("stg_label_definitions",), ("stg_learning_groups",), ("stg_roles",)]
    shown = "tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count tcp_user_timeout"
    with psycopg.connect(url) as connection:
        query = "select setting from pg_settings where name = any(string_to_array(%s, ' ')) order by name"
        assert connection.execute(query, [shown]).fetchall() == [("3",), ("30",), ("10",), ("60000",)]
    # The server takes neither another password nor a connection without TLS.
    for refused in (tls_server.url("orgo", "orgo_insights_etl", "x"), url.replace("require", "disable")):
        said = fails("build", "--select", "stg_roles", INSIGHTS_WAREHOUSE_URL=refused)
        assert "Cannot connect to PostgreSQL" in said


@pytest.mark.services
def test_dbt_gets_password_and_tls_from_files_and_variables(
    tls_server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, passwords, services = (tmp_path / name for name in ("root.crt", "passwords", "services"))
    certificate.write_text(tls_server.certificate)
    passwords.write_text(f"*:*:*:postgres:{ADMIN_PASSWORD}\n")
    passwords.chmod(0o600)
    services.write_text(
        f"[orgo]\nhost=127.0.0.1\nport={tls_server.port}\ndbname=orgo\nuser=postgres\npassword={ADMIN_PASSWORD}\n"
        f"sslmode=verify-full\nsslrootcert={certificate}\n"
    )
    url = f"postgresql://postgres@127.0.0.1:{tls_server.port}/orgo"
    tls = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(certificate)}
    cases = [
        (url, tls | {"PGPASSWORD": ADMIN_PASSWORD}),
        (url, tls | {"PGPASSFILE": str(passwords)}),
        ("service=orgo", {"PGSERVICEFILE": str(services)}),
    ]
    for address, variables in cases:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            environment = child_environment(address, {})
            expected = tls | {"PGPASSWORD": ADMIN_PASSWORD}
            assert {name: environment[name] for name in expected} == expected, address
    connected = plain_dbt(environment, "debug", "--connection")
    assert connected.succeeded, connected.output
    del environment["PGSERVICE"]  # its file takes precedence over variables
    unknown = plain_dbt(environment | {"PGSSLROOTCERT": str(tmp_path / "none.crt")}, "debug", "--connection")
    assert not unknown.succeeded
    assert "none.crt" in unknown.output
