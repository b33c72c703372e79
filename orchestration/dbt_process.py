"""Runs dbt as a child that ends with its parent: `python dbt_process.py PIPE ARGUMENTS...` (decision D136).

THEN between the arguments begins another command, which runs after the former has succeeded, with the project that it
has parsed (decision D199). This is run as a file and imports nothing of this package, so that it starts as fast as
dbt's own command.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

THEN = ";"
RESULTS = "run_results.json"
# New objects after which Python looks for unreachable ones. A node of dbt needs some thousands, and keeps few of them.
NEW_OBJECTS = 20_000
LEVELS = ("debug", "test", "info", "warn", "error")  # of messages, as dbt names and orders them
PRINTED = ("PrintEvent", "ShowNode", "CompiledNode")  # messages that dbt shows at each level


def main() -> None:
    """Run dbt with the arguments after PIPE, the file descriptor of a pipe whose other end the parent holds open.

    Exits with the code of the first command that fails, or with that of the last.
    """
    pipe, commands = int(sys.argv[1]), _commands(sys.argv[2:])
    threading.Thread(target=_end_with_parent, args=[pipe], daemon=True).start()
    # A shell starts background commands with SIGINT ignored, and dbt cancels its statements only on SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    gc.disable()
    from dbt.cli.main import cli  # noqa: PLC0415 - takes a second, in which a signal may arrive

    share_types()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()
    known: dict[str, Any] = {"callbacks": [_observe]}  # dbt adds what it has read
    for arguments in commands:
        if code := _run(cli, arguments, known):
            sys.exit(code)
        known = {"callbacks": [_observe], "manifest": known.get("manifest")}


def _commands(arguments: list[str]) -> list[list[str]]:
    ends = [place for place, argument in enumerate(arguments) if argument == THEN]
    return [arguments[begin + 1 : end] for begin, end in zip([-1, *ends], [*ends, len(arguments)], strict=True)]


def _run(cli: Any, arguments: list[str], known: dict[str, Any]) -> int:
    """Run one command as dbt's own command line does, write its results, and return its exit code."""
    import click  # noqa: PLC0415 - dbt has imported it

    try:
        done = cli.main(arguments, "dbt", obj=known, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        _write_results(getattr(error, "result", None), known)
        return error.exit_code
    except click.Abort:
        print("Aborted!", file=sys.stderr)  # noqa: T201 - as click does
        return 1
    if isinstance(done, int):  # of --help
        return done
    _write_results(done[0], known)
    return 0


def _write_results(result: object, known: dict[str, Any]) -> None:
    """Write run_results.json if `--no-write-json` has left it out with dbt's other artifacts (decision D213)."""
    from dbt.artifacts.schemas.run import RunExecutionResult  # noqa: PLC0415 - dbt has imported it

    if isinstance(result, RunExecutionResult) and not known["flags"].WRITE_JSON:
        result.write(str(Path(known["runtime_config"].project_target_path) / RESULTS))


def _observe(message: Any) -> None:
    """Prepare dbt for what follows a message: that it has begun, or that it has read the project."""
    if message.info.name == "MainReportVersion":
        _format_what_is_shown()
    elif message.info.name == "ConcurrencyLine":
        gc.freeze()  # the project stays, and is not to be searched again and again


def _format_what_is_shown() -> None:
    """Keep dbt's loggers from formatting messages below their level, which are nine out of ten."""
    from dbt_common.events.event_manager_client import get_event_manager  # noqa: PLC0415 - dbt has imported it

    for logger in get_event_manager().loggers:
        logger.filter = partial(_is_written, LEVELS.index(logger.level.value), logger.filter)


def _is_written(least: int, given: Callable[[Any], bool], message: Any) -> bool:
    return (LEVELS.index(message.info.level) >= least or message.info.name in PRINTED) and given(message)


def share_types() -> None:
    """Make the types by which dbt reads the columns of a result once for each set of columns.

    dbt makes them again for each statement, with a parser of dates in all words of a language, which it never asks.
    """
    from dbt_common.clients import agate_helper  # noqa: PLC0415 - dbt has imported it

    make = cache(agate_helper.build_type_tester)

    def remembered(text_columns: Iterable[str], string_null_values: tuple[str, ...] | None = ("null", "")) -> Any:
        return make(frozenset(text_columns), string_null_values)

    agate_helper.build_type_tester = remembered  # type: ignore[assignment]


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the parent has ended, because nothing is ever written
    # Without its parent, nothing holds the writer lock: no further statement may be sent, not even to cancel others.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
