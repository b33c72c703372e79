"""Writes systemd units: the services, and a timer for each job of dags.yaml that is enabled here (decision D238)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.config.cron import calendar_events
from orchestration.config.files import PROJECT, Settings
from orchestration.config.variables import EXPORT_DIR
from orchestration.errors import MisconfiguredError, RefusedError
from orchestration.flows import FLOWS

PREFIX = "orgo-insights"
TARGET = f"{PREFIX}.target"
MARK = "# Written by `insights systemd`; run it again after a change of dags.yaml or config.yaml."
SERVICES = {
    "api": ("api", "Reporting service of Orgo Insights"),
    "metrics": ("metrics serve", "Metrics of Orgo Insights for Prometheus"),
}
# Seconds after the time limit of a job, within which it ends by itself and records why (orchestration/runs/limits.py).
ENDING_SECONDS = 120
# No unit needs more of the machine than its folders, the network and the sockets of databases.
_SANDBOX = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes
CapabilityBoundingSet=
UMask=0077
CacheDirectory=orgo-insights
Environment=XDG_CACHE_HOME=%C"""


@dataclass(frozen=True)
class Host:
    """Where Insights is installed on a host: its program, its account, and the file with its variables."""

    program: Path
    user: str
    environment_file: Path


@dataclass(frozen=True)
class Written:
    """The names of the units that were written, and of former ones that were removed."""

    written: tuple[str, ...]
    removed: tuple[str, ...]


def services() -> list[str]:
    """Return the names of the units that run all the time."""
    return [f"{PREFIX}-{name}.service" for name in SERVICES]


def units(settings: Settings, host: Host) -> dict[str, str]:
    """Return the text of each unit by its name."""
    found: dict[str, str] = {}
    for name, (arguments, about) in SERVICES.items():
        running = f"Type=exec\nExecStart={host.program} {arguments}\nRestart=on-failure\nRestartSec=5"
        found[f"{PREFIX}-{name}.service"] = _service(settings, host, about, running)
    for key, dag in settings.dags.items():
        if not settings.is_enabled(key):
            continue
        limit = int(FLOWS[key].run_timeout.total_seconds()) + ENDING_SECONDS
        running = f"Type=oneshot\nExecStart={host.program} run {key}\nTimeoutStartSec={limit}\nTimeoutStopSec=90"
        name = f"{PREFIX}-{key.replace('_', '-')}"
        found[f"{name}.service"] = _service(settings, host, dag.id, running)
        # Persistent: what was due while the machine was off runs once when it is on again.
        times = "\n".join(f"OnCalendar={event}" for event in calendar_events(dag.schedule))
        found[f"{name}.timer"] = (
            f"{MARK}\n[Unit]\nDescription={dag.id}, {dag.schedule} UTC\nPartOf={TARGET}\n\n"
            f"[Timer]\n{times}\nAccuracySec=1s\nPersistent=yes\n\n[Install]\nWantedBy={TARGET}\n"
        )
    started = services() + [name for name in found if name.endswith(".timer")]
    found[TARGET] = (
        f"{MARK}\n[Unit]\nDescription=Orgo Insights\nWants={' '.join(started)}\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    return found


def _service(settings: Settings, host: Host, about: str, running: str) -> str:
    return (
        f"{MARK}\n[Unit]\nDescription={about}\nAfter=network-online.target postgresql.service redis-server.service\n"
        f"Wants=network-online.target\nPartOf={TARGET}\n\n[Service]\n{running}\nUser={host.user}\n"
        f"WorkingDirectory={PROJECT}\nEnvironment=INSIGHTS_ENV={settings.environment}\n"
        f"EnvironmentFile={host.environment_file}\n{_SANDBOX}\n{_folders(settings)}"
    )


def _folders(settings: Settings) -> str:
    """Return the line that opens the folder of exports, where it is known."""
    try:
        return f"ReadWritePaths=-{settings.export_directory}\n"
    except MisconfiguredError:
        return f"# Exports to files need {EXPORT_DIR} when `insights systemd` runs.\n"


def write_units(settings: Settings, host: Host, folder: Path) -> Written:
    """Write the units into a folder, and remove units that an earlier call wrote and that are no longer needed.

    Raises RefusedError for a file of that name that another program or a person wrote, and for a folder that cannot be
    written to.
    """
    wanted = units(settings, host)
    try:
        present = {path.name: path.read_text("utf-8") for path in folder.glob(f"{PREFIX}*") if path.is_file()}
        if foreign := sorted(name for name in wanted if not present.get(name, MARK).startswith(MARK)):
            raise RefusedError(f"{folder / foreign[0]} was not written by `insights systemd`. Move it away first.")
        old = sorted(name for name, text in present.items() if name not in wanted and text.startswith(MARK))
        for name in old:
            (folder / name).unlink()
        for name, text in wanted.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise RefusedError(f"The units cannot be written to {folder}: {error.strerror}.") from error
    return Written(tuple(wanted), tuple(old))
