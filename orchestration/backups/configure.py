"""Writes the configuration of backups from `insights.backups` (specification, sections 2.2 and 3.1; decision D230)."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.backups.expected import expected
from orchestration.backups.program import CONFIGURATION, Account, installed
from orchestration.backups.repository import repository_options
from orchestration.backups.schedule import crontab
from orchestration.config.settings import Settings
from orchestration.errors import MisconfiguredError, RefusedError
from orchestration.warehouse.database import Database

POSTGRES_FILE = "postgresql.conf"
CRONTAB = "crontab"
ENVIRONMENT_FILE = "environment"
SECRETS = ("repo1-cipher-pass", "repo1-s3-key", "repo1-s3-key-secret")
# A segment is archived at least three times within the RPO, so that one failure and a retry do not break it.
PARTS_OF_RPO = 3
LONGEST_TIMEOUT = 86_400  # seconds
SAME_START_SECONDS = 60  # between what PostgreSQL writes into its folder and what it tells
WAL_LEVELS = ("replica", "logical")
RESTART = ("archive_mode", "wal_level")
_MESSAGES: dict[type, str] = {
    RefusedError: "This user may not read the settings of the server ({detail}). Set INSIGHTS_ADMIN_URL to that of a"
    " superuser, or of a member of pg_read_all_settings.",
}


@dataclass(frozen=True)
class PostgresSetting:
    """A setting of PostgreSQL: its value now and as it must be, and what makes a change take effect."""

    setting: str
    now: str
    wanted: str
    takes_effect: str


@dataclass(frozen=True)
class Configuration:
    """What `insights backup configure` writes: files by path, for the account of PostgreSQL; and settings.

    `repository` is its folder; None for object storage.
    """

    account: Account
    directory: Path
    repository: Path | None
    files: Mapping[Path, str]
    settings: list[PostgresSetting]
    is_encrypted: bool

    @property
    def changes(self) -> list[PostgresSetting]:
        """The settings that PostgreSQL does not have yet."""
        return [setting for setting in self.settings if setting.takes_effect != "is set"]


def plan(settings: Settings, admin: Database) -> Configuration:
    """Return the configuration for the server of a connection, and write nothing.

    Raises MisconfiguredError for what is missing or wrong, also where the server is on another machine, and
    RefusedError for a user who may not read its settings.
    """
    admin = admin.saying(_MESSAGES)
    data = Path(str(admin.value("select current_setting('data_directory')")))
    account = Account.owning(data)
    account.check()
    _check_is_here(admin, data)
    rules, program = settings.insights.backups, installed()
    directory = Path(rules.directory)
    if directory.is_relative_to(data):
        raise MisconfiguredError(f"insights.backups.directory is {directory}: must not be in the data folder {data}.")
    common = repository_options(settings, data) | {
        "start-fast": "y",
        "repo1-bundle": "y",  # small files together: there are thousands, and object storage takes one at a time
        "compress-type": "zst",
        "process-max": str(rules.processes),
        "archive-timeout": "60",
        "log-level-file": "off",
        "lock-path": str(directory / "lock"),
    }
    wanted = _wanted(settings, admin, program)
    is_local = admin.connection.info.host.startswith("/")
    sockets = str(admin.value("select current_setting('unix_socket_directories')")).split(",")[0].strip()
    owner = _name_of(account)
    server = {
        "pg1-path": str(data),
        "pg1-socket-path": admin.connection.info.host if is_local else sockets,
        "pg1-port": str(admin.value("select current_setting('port')")),
        # pgBackRest connects by the socket, where PostgreSQL may let in the account under its own name only.
        "pg1-user": admin.connection.info.user if is_local else owner,
    }
    environment_file = str(directory / ENVIRONMENT_FILE)
    lines = crontab(settings, expected(settings, {}), owner, environment_file)
    files = {
        CONFIGURATION: _sections({"global": common, rules.stanza: server}),
        POSTGRES_FILE: _lines("Include this in postgresql.conf: include = '...'", wanted),
        CRONTAB: "".join(f"{line}\n" for line in lines),
    }
    return Configuration(
        account,
        directory,
        Path(common["repo1-path"]) if common["repo1-type"] == "posix" else None,
        {directory / name: text for name, text in files.items()},
        [_compared(admin, name, value) for name, value in wanted.items()],
        is_encrypted="repo1-cipher-pass" in common,
    )


def write(configuration: Configuration) -> None:
    """Make the folders and write the files, for the account of PostgreSQL alone; each file is replaced whole.

    Raises RefusedError if this user may not.
    """
    try:
        for folder in filter(None, (configuration.directory, configuration.repository)):
            folder.mkdir(parents=True, exist_ok=True)
            configuration.account.own(folder, 0o700)
        for path, text in configuration.files.items():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            configuration.account.own(Path(name), 0o600)
            Path(name).rename(path)
    except OSError as error:
        raise RefusedError(
            f"{error.filename} cannot be written ({error.strerror}): run insights backup configure as root, or give"
            f" {configuration.directory} (insights.backups.directory) to user {configuration.account.user}."
        ) from error


def masked(text: str) -> str:
    """Return the text of a file without its secrets."""
    lines = (line.partition("=") for line in text.splitlines())
    return "\n".join(f"{name}=***" if name in SECRETS else f"{name}{sign}{value}" for name, sign, value in lines)


def archive_timeout(settings: Settings) -> int:
    """Return the seconds after which PostgreSQL archives a segment that is not full."""
    rpo = settings.insights.backups.rpo_minutes.of(settings.environment)
    return min(rpo * 60 // PARTS_OF_RPO, LONGEST_TIMEOUT)


def _check_is_here(admin: Database, data: Path) -> None:
    """Raise MisconfiguredError if the server of the connection is not the one that runs in the data folder here."""
    started = float(admin.value("select extract(epoch from pg_postmaster_start_time())"))
    try:
        here = float((data / "postmaster.pid").read_text("utf-8").splitlines()[2])
    except (OSError, ValueError, IndexError):
        here = 0
    if abs(started - here) > SAME_START_SECONDS:
        raise MisconfiguredError(
            f"The server of this connection is not the one in {data} on this machine. Run insights backup configure on"
            " the server of the warehouse."
        )


def _wanted(settings: Settings, admin: Database, program: Path) -> dict[str, str]:
    rules = settings.insights.backups
    configuration = Path(rules.directory) / CONFIGURATION
    level = str(admin.value("select current_setting('wal_level')"))
    return {
        "archive_mode": "always" if admin.value("select current_setting('archive_mode')") == "always" else "on",
        "archive_command": f"{program} --config={configuration} --stanza={rules.stanza} archive-push %p",
        "archive_timeout": str(archive_timeout(settings)),
        "wal_level": level if level in WAL_LEVELS else WAL_LEVELS[0],
    }


def _compared(admin: Database, name: str, wanted: str) -> PostgresSetting:
    # The value in the unit of the setting: seconds.
    now = str(admin.value("select setting from pg_settings where name = %s", [name]))
    effect = "is set" if now == wanted else "restart" if name in RESTART else "reload"
    return PostgresSetting(name, now, wanted, effect)


def _sections(sections: Mapping[str, Mapping[str, str]]) -> str:
    texts = ["# Written by insights backup configure: change insights.backups and run it again.\n"]
    for name, options in sections.items():
        texts.append(f"\n[{name}]\n" + "".join(f"{option}={value}\n" for option, value in options.items()))
    return "".join(texts)


def _lines(title: str, values: Mapping[str, str]) -> str:
    return f"# {title}\n" + "".join(f"{name} = '{value}'\n" for name, value in values.items())


def _name_of(account: Account) -> str:
    try:
        return pwd.getpwuid(account.user).pw_name
    except KeyError:
        return str(account.user)
