"""A PostgreSQL 15 that speaks TLS on a TCP port of 127.0.0.1 and asks for SCRAM passwords, as deployed ones do."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from workshop.services import LocalPostgres, binaries, remove_state, state_root
from workshop.services.account import service_account

ADMIN, ADMIN_PASSWORD = "postgres", "of the superuser"
SOCKETS_TRUST_TCP_ASKS = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class TlsServer:
    """A running server, and the text of its certificate, which is its own root."""

    port: int
    certificate: str

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[TlsServer]:
        """Make and start one with an empty database `orgo`; skips the test where TLS cannot be had."""
        state = state_root(folder)
        private = LocalPostgres(state)
        private.start()  # makes the data folder
        private.create_database("orgo")
        with psycopg.connect(private.url("postgres", ADMIN), autocommit=True) as connection:
            connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(ADMIN), ADMIN_PASSWORD))
        private.stop()
        try:
            data = private.socket_dir / "data"
            _make_certificate(data)
            (data / "pg_hba.conf").write_text(SOCKETS_TRUST_TCP_ASKS)
            port = _free_port()
            _pg_ctl(
                data,
                "start",
                f"-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c fsync=off"
                f" -c unix_socket_directories='{private.socket_dir}'",
            )
            yield cls(port, (data / "server.crt").read_text())
            _pg_ctl(data, "stop")
        finally:
            remove_state(state)

    def url(self, database: str, user: str, password: str) -> str:
        """Return the URL in the form of INSIGHTS_WAREHOUSE_URL."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}?sslmode=require"

    def admin_url(self, database: str) -> str:
        """Return the URL for the superuser."""
        return self.url(database, ADMIN, ADMIN_PASSWORD)

    def set_password(self, role: str, password: str) -> None:
        """Give a role its password."""
        with psycopg.connect(self.admin_url("postgres")) as connection:
            connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), password))


def _make_certificate(data: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    files = ["-keyout", data / "server.key", "-out", data / "server.crt"]
    done = service_account().run([*command, *files], data)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def _pg_ctl(data: Path, action: str, options: str = "") -> None:
    log = data.parent / "tls_log"
    command = [binaries.postgres_programs() / "pg_ctl", action, "-D", data, "-w", "-m" if action == "stop" else "-l"]
    command += ["fast"] if action == "stop" else [log, "-o", options]
    done: subprocess.CompletedProcess[str] = service_account().run(command, data)
    if done.returncode != 0 and log.exists() and "SSL is not supported by this build" in log.read_text():
        pytest.skip("this PostgreSQL is built without TLS")
    assert done.returncode == 0, done.stdout + done.stderr
