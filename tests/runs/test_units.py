"""The units of systemd say what dags.yaml says, and systemd accepts them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from orchestration.cli import commands
from orchestration.config.cron import calendar_events, next_time
from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import RefusedError
from orchestration.runs.units import TARGET, Host, write_units

ANALYZE, SYSTEMCTL = shutil.which("systemd-analyze"), shutil.which("systemctl") or "systemctl"
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (Debian: systemd)")
NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    variables = tmp_path / "environment"
    variables.touch()
    return Host(Path(sys.executable).with_name("insights"), "root", variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "units"
    made.mkdir()
    return made


def test_a_host_of_prod(host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    monkeypatch.setenv("INSIGHTS_EXPORT_DIR", "/srv/insights/exports")
    done = write_units(load_settings(), host, folder)
    assert {path.name for path in folder.iterdir()} == set(done.written)
    # By hand, from section 4.1 of the specification.
    schedules = {
        "daily-events-load": "*-*-* 02:00:00 UTC",
        "daily-dimensions-sync": "*-*-* 02:30:00 UTC",
        "weekly-pattern-review": "Mon *-*-* 03:00:00 UTC",
        "monthly-trend-report": "*-*-01 04:00:00 UTC",
        "yearly-systemic-review": "*-01-01 05:00:00 UTC",
        "cache-warmup-dashboards": "*-*-* *:00,15,30,45:00 UTC",
    }
    found = {}
    for timer in folder.glob("*.timer"):
        (line,) = [line for line in timer.read_text().splitlines() if line.startswith("OnCalendar=")]
        found[timer.stem.removeprefix("orgo-insights-")] = line.removeprefix("OnCalendar=")
    assert found == schedules
    load = (folder / "orgo-insights-daily-events-load.service").read_text()
    for line in ("Type=oneshot", "TimeoutStartSec=14520", "User=root", "ReadWritePaths=-/srv/insights/exports"):
        assert f"\n{line}\n" in load
    wanted = (folder / TARGET).read_text().partition("Wants=")[2].splitlines()[0].split()
    assert set(wanted) == {f"orgo-insights-{name}.timer" for name in schedules} | {
        "orgo-insights-api.service",
        "orgo-insights-metrics.service",
    }


def test_units_of_former_jobs_leave_and_those_of_others_stay(
    host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    write_units(load_settings(), host, folder)
    (folder / "orgo-insights-of-us.service").write_text("[Unit]\n")
    monkeypatch.setenv("INSIGHTS_ENV", "staging")
    done = write_units(load_settings(), host, folder)
    assert done.removed == (
        "orgo-insights-yearly-systemic-review.service",
        "orgo-insights-yearly-systemic-review.timer",
    )
    assert {path.name for path in folder.iterdir()} == {*done.written, "orgo-insights-of-us.service"}
    assert "INSIGHTS_ENV=staging" in (folder / "orgo-insights-api.service").read_text()
    (folder / TARGET).write_text("[Unit]\nDescription=by hand\n")
    with pytest.raises(RefusedError, match=r"orgo-insights\.target was not written by `insights systemd`"):
        write_units(load_settings(), host, folder)


def test_each_command_of_a_unit_exists_and_parses(host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    write_units(load_settings(), host, folder)
    lines = {path.name: path.read_text() for path in folder.glob("*.service")}
    assert len(lines) == 8
    for name, text in lines.items():
        program, *arguments = shlex.split(text.partition("ExecStart=")[2].splitlines()[0])
        assert Path(program).is_file(), name
        command: click.Command = commands
        while isinstance(command, click.Group):
            command = command.commands[arguments.pop(0)]
        command.make_context(name, [*arguments])


def test_the_command_says_what_it_wrote_and_what_comes_next(
    host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    first = CliRunner().invoke(commands, ["systemd", str(folder), "--user", "etl"])
    assert first.exit_code == 0, first.output
    always = [
        "To start them: systemctl daemon-reload && systemctl enable --now orgo-insights.target",
        "Services that ran before: systemctl try-restart orgo-insights-api.service orgo-insights-metrics.service",
    ]
    assert first.output.splitlines()[-2:] == always
    assert f"Wrote {TARGET}" in first.output
    text = (folder / "orgo-insights-metrics.service").read_text()
    assert "\nUser=etl\n" in text and "\nEnvironmentFile=/etc/orgo-insights/environment\n" in text
    monkeypatch.setenv("INSIGHTS_ENV", "staging")
    again = CliRunner().invoke(commands, ["systemd", str(folder)])
    assert again.output.splitlines()[-3:] == [
        *always,
        "Timers that ran before: systemctl stop orgo-insights-yearly-systemic-review.timer",
    ]


@needs_systemd
def test_a_host_may_mask_a_service_of_the_folder_that_the_page_names(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    page = (PROJECT / "docs/deployment/hosts.md").read_text("utf-8")
    (named,) = re.findall(r"bin/insights systemd (\S+)$", page, re.M)
    root, service = tmp_path / "root", "orgo-insights-api.service"
    folder, own = root / named.removeprefix("/"), root / "etc/systemd/system"
    folder.mkdir(parents=True)
    write_units(load_settings(), host, folder)
    for command in ("enable", TARGET), ("mask", service):
        subprocess.run([SYSTEMCTL, f"--root={root}", *command], capture_output=True, text=True, check=True)
    assert (own / service).readlink() == Path("/dev/null")
    write_units(load_settings(), host, folder)
    assert (own / service).readlink() == Path("/dev/null"), "a second call leaves it masked"
    assert (own / "multi-user.target.wants" / TARGET).is_symlink()


@needs_systemd
def test_systemd_accepts_the_units(host: Host, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    write_units(load_settings(), host, folder)
    units = sorted(str(path) for path in folder.iterdir())
    assert _verify(units) == ""
    spoiled = folder / "orgo-insights-api.service"
    spoiled.write_text(spoiled.read_text().replace("insights api", "insight api").replace("Restart=", "Restarts="))
    said = _verify([str(spoiled)])
    assert "Restarts" in said and "not executable" in said


def _verify(units: list[str]) -> str:
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if "orgo-insights" in line)


@needs_systemd
@pytest.mark.parametrize(
    "cron",
    [
        "0 2 * * *",
        "0 3 * * 1",
        "*/15 * * * *",
        "0 4 1 * *",
        "0 5 1 1 *",
        "5 0 * * 0,7",
        "0 1-3 13 * fri",
        "7 */6 * feb *",
    ],
)
def test_systemd_runs_a_timer_when_cron_would(cron: str) -> None:
    events = calendar_events(cron)
    moment, expected = NOW, []
    for _ in range(4):
        moment = next_time(cron, moment) or moment
        expected.append(moment)
    found = set()
    for event in events:
        command = [str(ANALYZE), "calendar", "--iterations=4", "--base-time=2026-01-15 09:30:00 UTC", event]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
        )
        for line in done.stdout.splitlines():
            label, _, text = line.partition(": ")
            if label.strip() in ("Next elapse",) or label.strip().startswith("Iter"):
                found.add(datetime.strptime(text.strip()[4:23], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    assert sorted(found)[:4] == expected


def test_a_day_of_the_month_or_of_the_week_is_two_events() -> None:
    assert calendar_events("0 1 13 * 5") == ["*-*-13 01:00:00 UTC", "Fri *-*-* 01:00:00 UTC"]
    assert calendar_events("* * * * *") == ["*-*-* *:*:00 UTC"]
