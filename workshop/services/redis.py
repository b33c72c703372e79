"""A private Redis 7 server without persistence, on a unix socket that only its owner can reach."""

import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from orchestration.errors import FailedError, UnavailableError
from workshop.services import binaries, processes
from workshop.services.state import check_socket, last_lines, locked, marker

START_SECONDS = 60
STOP_ATTEMPTS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 60.0))

CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
logfile "{log}"
pidfile "{folder}/pid"
daemonize yes
save ""
appendonly no
maxmemory 64mb
maxmemory-policy allkeys-lru
proc-title-template "{{title}} {marker}"
"""


class LocalRedis:
    """One private server with its socket and log in `<state>/redis`."""

    def __init__(self, state: Path) -> None:
        """Describe the server in the folder `state`, which must exist."""
        self._state = state
        self._folder = state / "redis"
        self._socket = self._folder / "socket"
        self._log = self._folder / "log"
        self._marker = marker("redis", state)

    def url(self, db: int = 1) -> str:
        """Return the URL of database number `db`."""
        return f"unix://{quote(str(self._socket))}?db={db}"

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        return bool(processes.find(self._marker))

    def start(self) -> None:
        """Start the server unless it is running, and wait until it answers.

        Raises MisconfiguredError when the program is missing, FailedError when the server does not start, and
        UnavailableError when it does not respond.
        """
        check_socket(self._socket)
        with locked(self._state, "redis"):
            if self.is_running():
                return
            self._folder.mkdir(mode=0o700, exist_ok=True)
            config = self._folder / "redis.conf"
            config.write_text(
                CONFIG.format(socket=self._socket, folder=self._folder, log=self._log, marker=self._marker)
            )
            command = [binaries.redis_program(), config]
            done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise FailedError(f"Redis does not start: {(done.stdout + done.stderr).strip()}")
            self._wait()

    def stop(self) -> None:
        """Stop the server if it runs, and wait until it has ended. Raises FailedError when it does not end."""
        with locked(self._state, "redis"):
            processes.end(self._marker, STOP_ATTEMPTS)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise UnavailableError(f"Redis does not answer; {self._log} ends with:\n{last_lines(self._log)}")
            time.sleep(processes.POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
