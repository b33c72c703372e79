"""Runs dbt's process so that it never outlives the command that started it (decision D136)."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from orchestration.errors import MisconfiguredError

PROGRAM = Path(__file__).with_name("dbt_process.py")
DBT_MODULES = {"dbt.cli": "dbt-core", "dbt.adapters.postgres": "dbt-postgres"}
AS_IT_IS = -1  # keeps the mask of this process
# Seconds that dbt has to cancel its statements before it is killed.
GRACE = 30
# Signals that would end this process without running its `finally` blocks; an interrupt raises KeyboardInterrupt.
STOPPING = (signal.SIGTERM, signal.SIGHUP)


def run_dbt(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
    umask: int = AS_IT_IS,
) -> int:
    """Run dbt to its end and return its exit code; its output goes to standard output, or line by line to `on_line`.

    `umask` is the mask of dbt's new files. THEN (`dbt_process`) separates the arguments of several commands, which end
    with the first that fails.

    If SIGINT, SIGTERM, SIGHUP or an exception of `on_line` interrupts the wait, dbt cancels its statements and ends
    before the exception leaves this function. If this process is killed, dbt is killed too.
    """
    check_dbt()
    watched, held = os.pipe()
    try:
        with stopping_raises():
            child = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(watched), *arguments],
                env=environment,
                stdout=subprocess.PIPE if on_line else None,
                stderr=subprocess.STDOUT if on_line else None,
                text=True,
                pass_fds=[watched],
                umask=umask,
                process_group=0,  # Ctrl-C reaches this process only, which passes it on once
            )
            try:
                for line in child.stdout or ():
                    on_line(line)  # type: ignore[misc]  # there are lines only if it is given
                return child.wait()
            except BaseException:
                _stop(child)
                raise
    finally:
        os.close(held)
        os.close(watched)


def check_dbt() -> None:
    """Raise MisconfiguredError unless this Python can import dbt with its adapter for PostgreSQL."""
    lacking = [package for module, package in DBT_MODULES.items() if not _is_there(module)]
    if lacking:
        raise MisconfiguredError(
            f"{sys.executable} cannot import dbt: {' and '.join(lacking)} must be installed for this Python, which runs"
            f" insights. A dbt of another Python or environment is not used. Run: {sys.executable} -m pip install"
            " --no-deps --require-hashes -r requirements/runtime.txt"
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in does not exist
        return False


def _stop(child: subprocess.Popen[str]) -> None:
    """Interrupt dbt and wait until it has ended; after GRACE seconds or at a second signal, kill it."""
    try:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=GRACE)  # reads what dbt still prints, or it would wait for a reader
    except BaseException:
        child.kill()
        child.wait()


@contextmanager
def stopping_raises() -> Iterator[None]:
    """Raise SystemExit, as a shell reports it, on signals that would end this process at once.

    Handlers of others, such as Airflow's, and ignored signals (nohup) stay.
    """
    is_main = threading.current_thread() is threading.main_thread()
    replaced = [number for number in STOPPING if is_main and signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in replaced:
            signal.signal(number, _raise)
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
