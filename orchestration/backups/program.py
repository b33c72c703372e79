"""Runs pgBackRest and the programs of PostgreSQL as the account that owns the data of the server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.config.settings import Settings
from orchestration.errors import FailedError, MisconfiguredError, RefusedError

PGBACKREST = "pgbackrest"
CONFIGURATION = "pgbackrest.conf"
DEBIAN = "/usr/lib/postgresql/{version}/bin"
INSTALL = "Install Debian's package pgbackrest on the server of the warehouse, version 2.45 or later."
GRACE_SECONDS = 30  # for a program that is told to end; pgBackRest then ends the backup in PostgreSQL too
LAST_LINES = 12  # of the output of a program that failed
ROOT = 0


@dataclass(frozen=True)
class Account:
    """A user and a group of this machine, by number."""

    user: int
    group: int

    @classmethod
    def owning(cls, path: Path) -> Account:
        """Return the owner of a path; raises MisconfiguredError if it does not exist or cannot be seen."""
        try:
            found = path.stat()
        except OSError as error:
            raise MisconfiguredError(
                f"{path} cannot be read ({error.strerror}): run insights backup on the server of the warehouse, as the"
                " account of PostgreSQL or as root."
            ) from error
        return cls(found.st_uid, found.st_gid)

    def check(self) -> None:
        """Raise RefusedError unless this process may start programs as the account."""
        if os.geteuid() not in (ROOT, self.user):
            raise RefusedError(
                f"Backups belong to user {self.user}, who owns PostgreSQL's data, and this is user {os.geteuid()}: run"
                " the command as that user or as root, for example: sudo -u postgres insights backup check"
            )

    def run(
        self, command: Sequence[object], variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command (texts and paths) as the account and return it with its output.

        Of the environment it gets PATH and `variables` only. An exception that interrupts the wait, such as that of
        `stopping_raises`, ends the command first. Raises RefusedError like `check`.
        """
        self.check()
        is_root = os.geteuid() == ROOT
        words = [str(part) for part in command]
        with subprocess.Popen(
            words,
            cwd="/",  # the caller's folder may be closed to the account
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            user=self.user if is_root else None,
            group=self.group if is_root else None,
            extra_groups=[] if is_root else None,
        ) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                _end(process)
                raise
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def own(self, path: Path, mode: int) -> None:
        """Give a path to the account, with this mode."""
        path.chmod(mode)
        if os.geteuid() == ROOT:
            os.chown(path, self.user, self.group)


@dataclass(frozen=True)
class PgBackRest:
    """pgBackRest with the configuration that `insights backup configure` wrote."""

    program: Path
    configuration: Path
    stanza: str
    account: Account

    @classmethod
    def of(cls, settings: Settings) -> PgBackRest:
        """Return it for the settings; raises MisconfiguredError if it is not installed or not configured here."""
        rules = settings.insights.backups
        configuration = Path(rules.directory) / CONFIGURATION
        account = Account.owning(Path(rules.directory))
        account.check()
        if not configuration.exists():
            raise MisconfiguredError(f"{configuration} does not exist. Run: insights backup configure --yes")
        return cls(installed(), configuration, rules.stanza, account)

    def run(self, command: str, *options: str) -> str:
        """Run a command of pgBackRest and return what it prints; raises FailedError with its message."""
        words = [f"--config={self.configuration}", f"--stanza={self.stanza}", *options, command]
        done = self.account.run([self.program, *words])
        if done.returncode != 0:
            raise FailedError(f"pgBackRest could not {command}:\n{last_lines(done.stdout + done.stderr)}")
        return done.stdout

    def info(self) -> dict[str, Any]:
        """Return what the repository has of the stanza, as `pgbackrest info --output=json` describes it."""
        stanzas: list[dict[str, Any]] = json.loads(self.run("info", "--output=json"))
        return next(stanza for stanza in stanzas if stanza["name"] == self.stanza)


def installed() -> Path:
    """Return the path of pgBackRest; raises MisconfiguredError if PATH does not lead to it."""
    return Path(_found(PGBACKREST, INSTALL))


def postgres_program(name: str, version: int) -> Path:
    """Return the path of a program of this major version of PostgreSQL.

    It is looked for where Debian has it, then by `pg_config --bindir`. Raises MisconfiguredError if it is nowhere.
    """
    places = [Path(DEBIAN.format(version=version))]
    if shutil.which("pg_config"):
        places.append(Path(_output("pg_config", "--bindir").strip()))
    for place in places:
        if f"(PostgreSQL) {version}." in _output(place / name, "--version"):
            return place / name
    looked = " and ".join(str(place) for place in places)
    raise MisconfiguredError(f"{name} of PostgreSQL {version} is not in {looked}: install postgresql-{version}.")


def client_program(name: str) -> Path:
    """Return the path of a client of PostgreSQL, such as pg_dump; raises MisconfiguredError if PATH lacks it."""
    return Path(_found(name, "Install Debian's package postgresql-client."))


def last_lines(text: str) -> str:
    """Return the end of a program's output."""
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=GRACE_SECONDS)  # reads what it still prints, or it would wait for a reader
    except BaseException:
        process.kill()


def _found(name: str, remedy: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MisconfiguredError(f"{name} was not found on PATH. {remedy}")
    return path


def _output(program: str | Path, argument: str) -> str:
    try:
        return subprocess.run([program, argument], capture_output=True, text=True, check=False).stdout
    except OSError:  # not there, or not executable here
        return ""
