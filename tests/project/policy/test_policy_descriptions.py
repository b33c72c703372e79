"""Everything that people use is described: nodes, columns, macros, tests, commands, options and variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from support.policy import ENGINES, Node, catalog, macros, manifest, nodes, sources
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import PROJECT
from workshop.cli import commands as workshop_commands


def is_of_engine(macro: Node) -> bool:
    """Return whether a macro is what `adapter.dispatch` finds for another one of the project, which describes it."""
    engine, _, name = macro["name"].partition("__")
    return bool(name) and engine in {"default", *ENGINES} and name in {m["name"] for m in macros()}


def test_everything_of_the_project_has_a_description() -> None:
    described: dict[str, str] = {}
    dispatched = [m for m in macros() if not is_of_engine(m)]
    for node in [*nodes("model", "snapshot", "seed"), *sources(), *manifest()["exposures"].values(), *dispatched]:
        described[node["unique_id"]] = node["description"]
        for part in [*node.get("columns", {}).values(), *node.get("arguments", [])]:
            described[f"{node['unique_id']} {part['name']}"] = part["description"]
    for test in manifest()["unit_tests"].values():
        described[test["unique_id"]] = test["description"]
    described |= {f"source {s['source_name']}": s["source_description"] for s in sources()}
    assert [name for name, text in described.items() if not (text or "").strip()] == []


def test_every_argument_of_a_macro_is_described() -> None:
    called = [m for m in macros() if not m["name"].startswith("materialization_")]  # dbt calls those, without arguments
    signatures = {
        m["name"]: re.search(r"{%-?\s*(?:macro|test)\s+\w+\((.*?)\)\s*-?%}", m["macro_sql"], re.S) for m in called
    }
    written = {
        name: [argument.split("=")[0].strip() for argument in found[1].split(",") if argument.strip()]
        for name, found in signatures.items()
        if found
    }
    assert set(written) == {m["name"] for m in called}
    described = {m["name"]: [argument["name"] for argument in m["arguments"]] for m in macros()}
    assert written == {
        m["name"]: described[m["name"].split("__")[-1] if is_of_engine(m) else m["name"]] for m in called
    }


def test_every_singular_test_says_what_holds() -> None:
    files = [
        PROJECT / node["original_file_path"] for node in nodes("test") if node["original_file_path"].endswith(".sql")
    ]
    singular = [file for file in files if file.parent.name != "generic"]
    assert singular
    assert [file.name for file in singular if not re.match(r"-- [A-Z].{20}", file.read_text("utf-8"))] == []


@pytest.mark.services
def test_every_column_of_the_warehouse_is_described_and_there(built: Warehouse) -> None:
    # What the previous load left is described as a source too, with the columns that are read of it: the model counts.
    described = {f"{s['schema']}.{s['name']}": set(s["columns"]) for s in sources() if s["source_name"] != "orgo"}
    described |= {f"{n['schema']}.{n['alias']}": set(n["columns"]) for n in nodes("model", "snapshot", "seed")}
    # A view for readers has the columns of the mart that it restricts.
    described |= {
        f"{n['schema']}.reader_{n['alias']}": set(n["columns"])
        for n in nodes("model")
        if n["config"]["materialized"] == "materialized_view"
    }
    there = {relation: set(columns) for relation, columns in catalog(built).items()}
    differing = {name for name in described.keys() | there.keys() if described.get(name) != there.get(name)}
    assert {
        name: {
            "only described": described.get(name, set()) - there.get(name, set()),
            "only there": there.get(name, set()) - described.get(name, set()),
        }
        for name in differing
    } == {}


def test_every_command_and_option_has_a_help_text() -> None:
    silent = []
    for path, command in [*_commands("insights", commands), *_commands("workshop", workshop_commands)]:
        if not (command.help or "").strip():
            silent.append(path)
        silent += [
            f"{path} {parameter.opts[0]}"
            for parameter in command.params
            if isinstance(parameter, click.Option) and not (parameter.help or "").strip()
        ]
    assert silent == []


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(f"{path} {name}", child)
