"""dbt in the process of the tests: Python starts once, and the project is parsed once and not for each database."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import importlib.util
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from io import TextIOBase
from itertools import chain, pairwise
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TextIO, cast

import jinja2
import pytest
import sqlparse
from dbt.cli.main import cli, dbtRunner
from dbt.compilation import Compiler
from dbt.constants import PARTIAL_PARSE_FILE_NAME
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import set_from_args
from dbt.graph.graph import Graph
from dbt.parser.manifest import extended_mashumuro_decoder, write_manifest
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.events.base_types import EventLevel
from sqlparse.engine import FilterStack

from orchestration import dbt, dbt_process, supervision
from orchestration.config.files import PROJECT, Settings
from orchestration.config.variables import DUCKDB_PATH
from orchestration.dbt_engines import DUCKDB_PROFILE
from orchestration.dbt_options import RUNNING
from orchestration.dbt_process import (
    NEW_OBJECTS,
    keep_sessions,
    leave_out_debugging,
    look_up_relations,
    name_macros_at_once,
    share_types,
)

SAID = (EventLevel.INFO.value, EventLevel.WARN.value, EventLevel.ERROR.value)
# Each logger formats every event and searches it for every secret of the environment: a fifth of dbt's processor time.
# The callback below gets the events without one.
NO_LOGGERS = ("--log-level", "none", "--log-level-file", "none")

share_types()
look_up_relations()
keep_sessions()
name_macros_at_once()
leave_out_debugging()
# In each run dbt asks thirteen times which module made a flag, and reads the source of each caller for that.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters.base.impl")  # type: ignore[method-assign]
_compile = jinja2.Environment.compile
_link, _parse = Compiler.compile, sqlparse.parse
_shared: list[Path] = []  # where parsed projects are
_compiled: dict[tuple[type[jinja2.Environment], str], CodeType] = {}


def share(folder: Path) -> None:
    """Let the processes of a test run share parsed projects in a folder."""
    _shared.append(folder)


def run(
    settings: Settings, command: list[str], url: str, variables: Mapping[str, Any], claim: int | None = None
) -> tuple[bool, str]:
    """Run dbt like `dbt.run`, in this process; returns whether it succeeded, and its output.

    Its artifacts are written only with `--write-json`.
    """
    return invoke(dbt.complete(settings, command, variables), dbt.process_environment(settings, url, claim, variables))


def invoke(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[bool, str]:
    """Run dbt with these arguments and environment variables; returns whether it succeeded, and its output."""
    with _variables(environment):
        return _invoke(_bound(environment, _profile(arguments)), arguments)


def run_plain(variables: Mapping[str, str], *arguments: str) -> tuple[bool, str]:
    """Run `dbt ARGUMENTS` in this process with these environment variables, which name the database for libpq.

    The project is that of dev: what `--target` changes in the project, rather than in the run, is not seen.
    """
    with _variables(os.environ | dict(variables)):
        manifest = _bound({**variables, "INSIGHTS_ENV": "dev"}, _profile(arguments))
        return _invoke(manifest, [*arguments, "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)])


def _invoke(manifest: Manifest, arguments: Sequence[str]) -> tuple[bool, str]:
    """Run dbt on a parsed project; returns whether it succeeded, and its output."""
    lines: list[str] = []

    def listen(event: Any) -> None:  # dbt's own type does not know the text of a message
        if event.info.level in SAID:
            lines.append(f"{event.info.msg}\n")

    artifacts = () if "--write-json" in arguments else ("--no-write-json",)
    runner = dbtRunner(manifest=manifest, callbacks=[listen])
    done = runner.invoke([*arguments, *artifacts, "--quiet", "--no-use-colors", *NO_LOGGERS])
    return done.success, "".join([*lines, str(done.exception or "")])


def run_dbt(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
    umask: int = supervision.AS_IT_IS,
) -> int:
    """Do what `supervision.run_dbt` does, in this process, but for `dbt docs`.

    A process of dbt takes seconds to import dbt and to read the project. The tests of processes start theirs, by
    `supervision` or by the command `insights`.
    """
    commands = dbt_process.split(arguments)
    if any(command[0] not in (*RUNNING, "compile", "parse") for command in commands):
        return supervision.run_dbt(arguments, environment, on_line, umask)
    # What no reader is given goes where the output of a process would go.
    stream = cast(TextIO, _Lines(on_line) if on_line else sys.__stdout__)
    is_ours = ("--project-dir", str(PROJECT)) in pairwise(arguments)
    with _variables(environment), _masked(umask), redirect_stdout(stream), redirect_stderr(stream):
        for command in commands:
            manifest = _bound(environment, _profile(command)) if is_ours else None
            known: dict[str, Any] = {"callbacks": [], "manifest": manifest}
            code = dbt_process.run(cli, command, known)
            if code == 0 and is_ours and command[0] == "parse":  # which dbt writes only where it has parsed itself
                write_manifest(known["manifest"], known["runtime_config"].project_target_path)
            stream.flush()
            if code:
                return code
    return 0


class _Lines(TextIOBase):
    """Passes what is written to it on, line by line; what the reader writes goes where its output went before."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._pass_on, self._begun = on_line, ""
        self._stdout, self._stderr = sys.stdout, sys.stderr

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            with redirect_stdout(self._stdout), redirect_stderr(self._stderr):
                self._pass_on(f"{line}\n")
        return len(text)


@contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    """Give this process the environment variables of a dbt for a block, and no other, and close what dbt has opened."""
    with pytest.MonkeyPatch.context() as patch:
        for name in {*os.environ} - {*environment}:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(jinja2.Environment, "compile", _compile_once)
        patch.setattr(Compiler, "compile", _link_once)
        patch.setattr(sqlparse, "parse", _parse_flat)
        try:
            yield
        finally:
            _close_file()


def _close_file() -> None:
    """Close the file of DuckDB that dbt keeps open until its process ends, so that others can open it."""
    if adapter := sys.modules.get("dbt.adapters.duckdb.connections"):  # imported when dbt first has such a file
        if opened := adapter.DuckDBConnectionManager._ENV:
            opened.close()
        adapter.DuckDBConnectionManager.close_all_connections()


@contextmanager
def _masked(umask: int) -> Iterator[None]:
    """Create files with this mask for a block."""
    before = os.umask(0)
    os.umask(before if umask == supervision.AS_IT_IS else umask)
    try:
        yield
    finally:
        os.umask(before)


def _profile(arguments: Sequence[str]) -> str | None:
    """Return the profile that dbt's arguments name; None is that of the project, PostgreSQL."""
    return arguments[arguments.index("--profile") + 1] if "--profile" in arguments else None


def _bound(environment: Mapping[str, str], profile: str | None) -> Manifest:
    """Return the project of a dbt with these environment variables, bound to its database."""
    manifest = parsed(environment["INSIGHTS_ENV"], environment.get("INSIGHTS_SCHEMA", "insights"), profile)
    for name in [name for name in manifest.nodes if name.startswith("sql_operation.")]:
        del manifest.nodes[name]  # of an inline query that failed
    # DuckDB names a database after its file; the other is the default of profiles.yml.
    is_file = profile == DUCKDB_PROFILE
    bind(manifest, Path(environment[DUCKDB_PATH]).stem if is_file else environment.get("PGDATABASE", "orgo"))
    return manifest


def parsed(environment: str, schema: str, profile: str | None = None) -> Manifest:
    """Return the project, parsed under the present environment variables; it holds no value of a dbt variable."""
    return _parsed(environment, schema, profile)[0]


def as_parsed(environment: str, schema: str, profile: str | None = None) -> Manifest:
    """Return the project like `parsed`, as it was before anything was compiled."""
    return Manifest.from_msgpack(_parsed(environment, schema, profile)[1], decoder=extended_mashumuro_decoder)


@cache
def _parsed(environment: str, schema: str, profile: str | None) -> tuple[Manifest, bytes]:
    """Return the project, and what dbt has saved of it; the first process that asks parses it for all."""
    name = hashlib.sha256(repr((environment, schema, profile)).encode()).hexdigest()
    file = (_shared[-1] if _shared else Path(os.environ["DBT_TARGET_PATH"])) / f"{name}.msgpack"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--target", environment]
            places += ["--profile", profile] if profile else []
            done = dbtRunner().invoke(["parse", *places, "--quiet"])
            assert isinstance(done.result, Manifest), (schema, done.exception)
            shutil.copy(Path(os.environ["DBT_TARGET_PATH"]) / PARTIAL_PARSE_FILE_NAME, file)
        else:
            set_from_args(Namespace(), None)  # the flags of dbt, which parsing sets
    saved = file.read_bytes()
    manifest = Manifest.from_msgpack(saved, decoder=extended_mashumuro_decoder)
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # as dbt does after it has read such a file
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    return manifest, saved


def _compile_once(environment: jinja2.Environment, source: str, *others: Any, **named: Any) -> CodeType:
    """Compile a template that dbt has read, once for all runs: they are the same for every database."""
    key = (type(environment), source)
    if others or named or key not in _compiled:
        code: CodeType = _compile(environment, source, *others, **named)
        return code if others or named else _compiled.setdefault(key, code)
    return _compiled[key]


def _parse_flat(sql: str) -> tuple[Any, ...]:
    """Return the tokens of statements, grouped into expressions only where dbt looks for more than the first word.

    dbt puts the rows that a unit test is given behind the first WITH, for which sqlparse builds a tree of the query.
    """
    statements = tuple(FilterStack().run(sql))  # type: ignore[no-untyped-call]
    first = statements[0].token_first(skip_cm=True) if statements else None
    return statements if first is not None and first.normalized == "WITH" else _parse(sql)


def _link_once(compiler: Compiler, manifest: Manifest, write: bool = True, add_test_edges: bool = False) -> Graph:
    """Return the graph of a project, which dbt makes and searches for cycles in each run, once for all runs."""
    asked = compiler.config.args
    # An inline query is a node of one run only; with artifacts, dbt writes a file of the graph.
    if getattr(asked, "inline", None) or getattr(asked, "write_json", True):
        return _link(compiler, manifest, write, add_test_edges)
    graphs: dict[bool, Graph] = vars(manifest).setdefault("graphs of the tests", {})
    if add_test_edges not in graphs:
        graphs[add_test_edges] = _link(compiler, manifest, write, add_test_edges)
    return graphs[add_test_edges]


def bind(manifest: Manifest, database: str) -> None:
    """Move every relation to a database: its name is the only thing of a warehouse that parsing writes down."""
    for node in chain(manifest.nodes.values(), manifest.sources.values()):
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database


def read_again(module: ModuleType) -> ModuleType:
    """Return a fresh copy of a module of dbt, without our replacements."""
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_of_dbt", str(module.__file__))
    assert spec and spec.loader
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    return own
