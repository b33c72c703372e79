"""dbt in the process of the tests: Python starts once, and the project is parsed once and not for each database."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import cache
from itertools import chain
from types import CodeType
from typing import Any

import jinja2
import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventLevel

from orchestration import dbt
from orchestration.config.files import PROJECT, Settings
from orchestration.dbt_process import NEW_OBJECTS, keep_sessions, leave_out_debugging, share_types

SAID = (EventLevel.INFO.value, EventLevel.WARN.value, EventLevel.ERROR.value)
# Each logger formats every event and searches it for every secret of the environment: a fifth of dbt's processor time.
# The callback below gets the events without one.
NO_LOGGERS = ("--log-level", "none", "--log-level-file", "none")

share_types()
keep_sessions()
leave_out_debugging()
_compile = jinja2.Environment.compile
_compiled: dict[tuple[type[jinja2.Environment], str], CodeType] = {}


def run(
    settings: Settings, command: list[str], url: str, variables: Mapping[str, Any], claim: int | None = None
) -> tuple[bool, str]:
    """Run dbt like `dbt.run`, in this process; returns whether it succeeded, and its output.

    Its artifacts are written only with `--write-json`.
    """
    lines: list[str] = []

    def listen(event: Any) -> None:  # dbt's own type does not know the text of a message
        if event.info.level in SAID:
            lines.append(f"{event.info.msg}\n")

    arguments = dbt.complete(settings, command, variables)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dbt.process_environment(settings, url, claim, variables).items():
            patch.setenv(name, value)
        patch.setattr(jinja2.Environment, "compile", _compile_once)
        manifest = parsed(settings.environment, settings.insights.warehouse.schema_name)
        bind(manifest, os.environ["PGDATABASE"])
        runner = dbtRunner(manifest=manifest, callbacks=[listen])
        artifacts = () if "--write-json" in arguments else ("--no-write-json",)
        done = runner.invoke([*arguments, *artifacts, "--quiet", "--no-use-colors", *NO_LOGGERS])
    return done.success, "".join([*lines, str(done.exception or "")])


@cache
def parsed(environment: str, schema: str) -> Manifest:
    """Return the project, parsed under the present environment variables; it holds no value of a dbt variable."""
    places = ["--profiles-dir", str(PROJECT), "--project-dir", str(PROJECT), "--target", environment]
    done = dbtRunner().invoke(["parse", *places, "--quiet"])
    assert isinstance(done.result, Manifest), (schema, done.exception)
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    return done.result


def _compile_once(environment: jinja2.Environment, source: str, *others: Any, **named: Any) -> CodeType:
    """Compile a template that dbt has read, once for all runs: they are the same for every database."""
    key = (type(environment), source)
    if others or named or key not in _compiled:
        code: CodeType = _compile(environment, source, *others, **named)
        return code if others or named else _compiled.setdefault(key, code)
    return _compiled[key]


def bind(manifest: Manifest, database: str) -> None:
    """Move every relation to a database: its name is the only thing of a warehouse that parsing writes down."""
    for node in chain(manifest.nodes.values(), manifest.sources.values()):
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
