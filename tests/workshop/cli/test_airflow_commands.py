"""Test the private Airflow before it runs: its commands, secrets and port, and a missing installation."""

from __future__ import annotations

import json
import socket
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.errors import InsightsError
from workshop import airflow_demo
from workshop.cli import commands
from workshop.services import airflow
from workshop.services.airflow_releases import AIRFLOW_3, RELEASES, installed_release
from workshop.services.airflow_secrets import kept_secrets
from workshop.services.airflow_settings import choose_port, environment


def test_the_commands_work_when_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_demo, "state_root", lambda project: tmp_path)
    status = CliRunner().invoke(commands, ["airflow", "status"])
    programs = [[name, "stopped"] for name in installed_release().program_names]
    assert status.exit_code == 0
    assert [line.split() for line in status.output.splitlines()] == [["program", "state"], *programs]
    stop = CliRunner().invoke(commands, ["airflow", "stop"])
    assert (stop.exit_code, stop.output) == (0, "")
    run = CliRunner().invoke(commands, ["airflow", "run"])
    assert str(run.exception) == "Airflow does not run. Start it first: ./dev airflow"
    assert list(tmp_path.iterdir()) == [tmp_path / f"{installed_release().name}.lock"]


def test_secrets_are_created_once_and_differ_between_two_airflows(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    created = kept_secrets(first)
    assert kept_secrets(first) == created
    assert len({*vars(created).values(), *vars(kept_secrets(second)).values()}) == 6


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "port").write_text(f"{port}\n")
        other = choose_port(tmp_path)
        assert other != port
    assert choose_port(tmp_path) == other


def test_a_missing_airflow_is_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(InsightsError, match=r"setup --dev.*requirements/airflow\.txt.*Python 3\.11.*airflow3"):
        airflow.LocalAirflow(tmp_path, tmp_path).start()


def test_airflow_3_has_its_user_and_keys_from_its_own_folder(tmp_path: Path) -> None:
    made = environment(AIRFLOW_3, tmp_path, tmp_path, database_url="postgresql://", port=8081, variables={"A": "b"})
    passwords = Path(made["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert passwords.parent == tmp_path
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    assert json.loads(passwords.read_text()) == {"admin": kept_secrets(tmp_path).password}
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8081/execution/"
    assert made["AIRFLOW__API_AUTH__JWT_SECRET"] == kept_secrets(tmp_path).secret_key
    assert (made["AIRFLOW__API__HOST"], made["A"]) == ("127.0.0.1", "b")
    assert not any(name.startswith("AIRFLOW__WEBSERVER") for name in made)


def test_two_releases_share_no_folder_and_no_process(tmp_path: Path) -> None:
    two, three = (airflow.LocalAirflow(tmp_path, tmp_path, release=release) for release in RELEASES)
    assert {two.folder.name, three.folder.name} == {"airflow", "airflow3"}
    assert two.metadata_url != three.metadata_url
    assert [*two.programs()] == ["webserver", "scheduler"]
    assert [*three.programs()] == ["api-server", "scheduler", "dag-processor"]
