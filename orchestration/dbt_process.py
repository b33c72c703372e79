"""Runs dbt as a child that ends with its parent: `python dbt_process.py PIPE ARGUMENTS...` (decision D136).

THEN between the arguments begins another command, which runs after the former has succeeded, with the project that it
has parsed (decision D199). This is run as a file and imports nothing of this package, so that it starts as fast as
dbt's own command.
"""

from __future__ import annotations

import gc
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

THEN = ";"
RESULTS = "run_results.json"
# New objects after which Python looks for unreachable ones. A node of dbt needs some thousands, and keeps few of them.
NEW_OBJECTS = 20_000
DEBUG = "debug"  # the level of messages
NOTED = "noted"  # what a message would be made of
BIND = "insights_bind"  # in the context of a node: what gives a macro that context
MADE = "made"  # the macro of a context, after its first call
GLOBAL_PROJECT = "dbt"  # the name of dbt's own package of macros
NODE = re.compile(r"[a-z_]+\.\w+\.")  # how the id of a node begins, which is the name of its session


def main() -> None:
    """Run dbt with the arguments after PIPE, the file descriptor of a pipe whose other end the parent holds open.

    Exits with the code of the first command that fails, or with that of the last.
    """
    pipe, commands = int(sys.argv[1]), split(sys.argv[2:])
    threading.Thread(target=_end_with_parent, args=[pipe], daemon=True).start()
    # A shell starts background commands with SIGINT ignored, and dbt cancels its statements only on SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    gc.disable()
    from dbt.cli.main import cli  # noqa: PLC0415 - takes a second, in which a signal may arrive

    share_types()
    look_up_relations()
    keep_sessions()
    name_macros_at_once()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    gc.enable()
    known: dict[str, Any] = {"callbacks": [_observe]}  # dbt adds what it has read
    for arguments in commands:
        if code := run(cli, arguments, known):
            sys.exit(code)
        known = {"callbacks": [_observe], "manifest": known.get("manifest")}


def split(arguments: Sequence[str]) -> list[list[str]]:
    """Return the arguments of each command, which THEN separates."""
    ends = [place for place, argument in enumerate(arguments) if argument == THEN]
    return [[*arguments[begin + 1 : end]] for begin, end in zip([-1, *ends], [*ends, len(arguments)], strict=True)]


def run(cli: Any, arguments: list[str], known: dict[str, Any]) -> int:
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
        if not _is_debugged():
            leave_out_debugging()
    elif message.info.name == "ConcurrencyLine":
        gc.freeze()  # the project stays, and is not to be searched again and again


def _is_debugged() -> bool:
    from dbt_common.events.event_manager_client import get_event_manager  # noqa: PLC0415 - dbt has imported it

    return any(logger.level.value == DEBUG for logger in get_event_manager().loggers)


def leave_out_debugging() -> None:
    """Leave out messages for debugging, nine of ten, before they are made; one that is asked for is made then.

    dbt makes and formats each of them, and only then compares its level with those of its loggers (decision D229).
    """
    from dbt_common.events.base_types import BaseEvent, DebugLevel  # noqa: PLC0415 - dbt has imported it
    from dbt_common.events.event_manager import EventManager  # noqa: PLC0415 - dbt has imported it

    make, fire = BaseEvent.__init__, EventManager.fire_event

    def note(event: Any, *arguments: Any, **fields: Any) -> None:
        event.__dict__[NOTED] = (arguments, fields)

    def find(event: Any, name: str) -> Any:
        if name == "pb_msg":
            arguments, fields = event.__dict__[NOTED]
            make(event, *arguments, **fields)
            return event.__dict__[name]
        return getattr(event.pb_msg, name)

    def pass_on(manager: Any, e: Any, level: Any = None, *others: Any, **named: Any) -> None:
        if (level or e.level_tag()).value != DEBUG:
            fire(manager, e, level, *others, **named)

    DebugLevel.__init__, DebugLevel.__getattr__ = note, find  # type: ignore[assignment, method-assign]
    EventManager.fire_event = pass_on  # type: ignore[assignment, method-assign]


def share_types() -> None:
    """Make the empty result once, and the types by which dbt reads a result's columns once for each set of columns.

    dbt makes them again for each statement, with a parser of dates in all words of a language, which it never asks. A
    table cannot be changed, so all statements share the empty one.
    """
    from dbt_common.clients import agate_helper  # noqa: PLC0415 - dbt has imported it

    make = cache(agate_helper.build_type_tester)

    def remembered(text_columns: Iterable[str], string_null_values: tuple[str, ...] | None = ("null", "")) -> Any:
        return make(frozenset(text_columns), string_null_values)

    agate_helper.build_type_tester = remembered  # type: ignore[assignment]
    agate_helper.empty_table = cache(agate_helper.empty_table)


def look_up_relations() -> None:
    """Find the known relations of a schema by their keys, which have lower case (decision D276).

    dbt converts schema and database of every known relation, four or five times a node.
    """
    from dbt.adapters.cache import RelationsCache  # noqa: PLC0415 - dbt has imported it
    from dbt_common.utils.formatting import lowercase  # noqa: PLC0415 - dbt has imported it

    def find(known: Any, database: str | None, schema: str | None) -> list[Any]:
        place = (lowercase(database), lowercase(schema))
        with known.lock:
            return [relation.inner for key, relation in known.relations.items() if key[:2] == place]

    RelationsCache.get_relations = find  # type: ignore[assignment, method-assign]


def keep_sessions() -> None:
    """Let a thread of dbt run its nodes in one session (decision D228).

    dbt starts a session for each node. What a node leaves in a session is discarded, and a session that has ended
    meanwhile, or cannot be cleared, is replaced by a new one as before.
    """
    from dbt.adapters.contracts.connection import ConnectionState  # noqa: PLC0415 - dbt has imported it
    from dbt.adapters.postgres.connections import PostgresConnectionManager  # noqa: PLC0415 - dbt has imported it

    release, acquire = PostgresConnectionManager.release, PostgresConnectionManager.set_connection_name

    def clear(manager: Any) -> None:
        connection = manager.get_if_exists()
        is_used = connection is not None and connection.state == ConnectionState.OPEN
        if not (is_used and NODE.match(connection.name) and _discard(connection.handle)):
            release(manager)
        else:
            connection.transaction_open = False

    def find(manager: Any, name: str | None = None) -> Any:
        connection = manager.get_if_exists()
        if connection is not None and connection.state == ConnectionState.OPEN and _has_ended(connection.handle):
            manager.close(connection)
        return acquire(manager, name)

    PostgresConnectionManager.release = clear  # type: ignore[assignment, method-assign]
    PostgresConnectionManager.set_connection_name = find  # type: ignore[assignment, method-assign]


def name_macros_at_once() -> None:
    """Give all nodes the same objects for macros, and make a macro that a node calls once (decision D258).

    dbt makes an object for each of about 900 macros four to six times a node, of which a few are called, and looks each
    name up in every package; at each call of a macro it copies the context of the node. The names, and which package
    wins, are the same.
    """
    from dbt.clients.jinja import MacroGenerator  # noqa: PLC0415 - dbt has imported it
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder  # noqa: PLC0415 - dbt has imported it
    from dbt_common.clients.jinja import MacroFuzzEnvironment  # noqa: PLC0415 - dbt has imported it

    make, call = MacroGenerator.get_macro, MacroFuzzEnvironment.call

    class Shared(MacroGenerator):  # has no context; where it is called, the template has
        pass

    class Names(dict[str, Any], MacroNamespace):  # a mapping that is copied as a dict
        def __init__(self, builder: Any, packages: dict[str, dict[str, Any]]) -> None:
            internal: dict[str, Any] = {}
            for name in reversed(builder.internal_package_names_order):
                internal |= packages.get(name, {})
            others = {name: found for name, found in packages.items() if name not in builder.internal_package_names}
            own, root = others.get(builder.search_package, {}), others.get(builder.root_package, {})
            MacroNamespace.__init__(self, {} if root is own else root, own, internal, others)
            for names in (internal, {GLOBAL_PROJECT: internal}, others, root, own):  # the last one wins
                self.update(names)

    known: dict[int, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {}

    def shared(macros: dict[str, Any]) -> dict[str, Any]:
        # A package is a dict that stays as long as its project; dbt may read more macros into it.
        if id(macros) not in known or known[id(macros)][1] != macros:
            known[id(macros)] = macros, {**macros}, {macro.name: Shared(macro) for macro in macros.values()}
        return {**known[id(macros)][2]}  # the overrides of a unit test are written into it

    def build(builder: Any, macros: dict[str, dict[str, Any]], context: dict[str, Any]) -> Names:
        node, stack, bound = builder.node, builder.thread_ctx, dict[str, Any]()

        def bind(macro: Any) -> Any:
            if macro.unique_id not in bound:
                bound[macro.unique_id] = MacroGenerator(macro, context, node, stack)
            return bound[macro.unique_id]

        context[BIND] = bind
        return Names(builder, {package: shared(found) for package, found in macros.items()})

    def call_bound(environment: Any, template: Any, called: Any, *arguments: Any, **named: Any) -> Any:
        if type(called) is Shared:
            called = template.parent[BIND](called.macro)
        return call(environment, template, called, *arguments, **named)

    def made(generator: Any) -> Any:
        if MADE not in generator.__dict__:
            generator.__dict__[MADE] = make(generator)
        return generator.__dict__[MADE]

    MacroFuzzEnvironment.call = call_bound  # type: ignore[method-assign]
    MacroNamespaceBuilder.build_namespace = build  # type: ignore[method-assign, assignment]
    MacroGenerator.get_macro = made  # type: ignore[method-assign, assignment]


def _discard(session: Any) -> bool:
    """Roll back, and discard a session's temporary tables, settings and locks; returns whether it is as good as new."""
    from psycopg2 import Error  # type: ignore[import-untyped]  # noqa: PLC0415 - dbt has a session of it

    try:
        session.rollback()
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute("discard all")
        session.autocommit = False
    except Error:
        return False
    return True


def _has_ended(session: Any) -> bool:
    """Return whether the server has ended a session at rest: it would say so, and says nothing else unasked."""
    return bool(session.closed) or bool(select.select([session], [], [], 0)[0])


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # returns when the parent has ended, because nothing is ever written
    # Without its parent, nothing holds the writer lock: no further statement may be sent, not even to cancel others.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
