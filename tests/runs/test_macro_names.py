"""Macros have in each node the names that dbt gives them (decision D258)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dbt.artifacts.resources.types import NodeType
from dbt.clients.jinja import MacroGenerator, MacroStack, get_rendered
from dbt.context import macros
from dbt.contracts.graph.nodes import Macro
from support.in_process import parsed, read_again

INTERNAL = ["dbt_postgres", "dbt"]  # as the adapter for PostgreSQL orders them: its own macros win
PROJECT_NAME = "orgo_insights"


def found(value: object) -> object:
    """Return a macro's id, or those of a package's macros by name."""
    if isinstance(value, MacroGenerator):
        return value.macro.unique_id  # type: ignore[attr-defined]
    assert isinstance(value, dict)
    return {name: found(one) for name, one in value.items()}


@pytest.mark.parametrize("package", [PROJECT_NAME, *INTERNAL])
def test_each_name_means_what_it_means_in_dbt(package: str) -> None:
    given = parsed("dev", "insights").get_macros_by_package()
    assert set(given) == {PROJECT_NAME, *INTERNAL}
    # Of another package, with a macro that the project has too and one of its own.
    mine, *others = given[PROJECT_NAME].values()
    names = (mine.name, "only_there")
    given = {
        **given,
        "other": {n: replace(m, package_name="other", name=n) for n, m in zip(names, others, strict=False)},
    }
    context: dict[str, Any] = {}
    stack = MacroStack()  # type: ignore[no-untyped-call]
    ours, theirs = (
        module.MacroNamespaceBuilder(PROJECT_NAME, package, stack, INTERNAL).build_namespace(given, context)
        for module in (macros, read_again(macros))
    )
    assert found(dict(ours)) == found(dict(theirs))
    assert len(ours) > 800
    for name in ("as_of", "ref", "create_table_as", "generate_schema_name", mine.name, "only_there"):
        for place in (None, PROJECT_NAME, "dbt", "other"):
            here, there = (names.get_from_package(place, name) for names in (ours, theirs))
            assert (here and found(here)) == (there and found(there)), (place, name)


def _macro(name: str, text: str) -> Macro:
    file = "own.sql"
    sql = f"{{% macro {name}(given=none) %}}{text}{{% endmacro %}}"
    return Macro(name, NodeType.Macro, "own", file, file, f"macro.own.{name}", sql)


def _context(given: dict[str, dict[str, Macro]], node: str) -> dict[str, Any]:
    """Return the context of a node, which has its name and these macros."""
    context: dict[str, Any] = {"node": node}
    stack = MacroStack()  # type: ignore[no-untyped-call]
    context.update(macros.MacroNamespaceBuilder("own", "own", stack, ["dbt"]).build_namespace(given, context))
    return context


def test_a_macro_has_the_context_of_the_node_that_calls_it() -> None:
    inner, outer = (
        _macro("inner", "{{ node }}{{ given }}"),
        _macro("outer", "{% for n in [1, 2] %}{{ inner(n) }}{% endfor %}"),
    )
    given = {"own": {"inner": inner, "outer": outer}}
    first, second = _context(given, "a"), _context(given, "b")
    for _ in range(2):
        assert get_rendered("{{ outer() }} {{ own.inner(3) }}", first) == "a1a2 a3"
        assert get_rendered("{{ outer() }} {{ own.inner(3) }}", second) == "b1b2 b3"
    # As the overrides of a unit test do.
    first["own"]["inner"] = lambda _: "overridden"
    assert get_rendered("{{ own.inner(3) }}", first) == "overridden"
    assert get_rendered("{{ own.inner(3) }}", second) == "b3"
    # dbt reads macros one by one.
    given["own"]["late"] = _macro("late", "late of {{ node }}")
    assert get_rendered("{{ late() }}", _context(given, "c")) == "late of c"
    assert (
        get_rendered("{{ inner(4) }}", _context({"own": {"inner": _macro("inner", "{{ node }}{{ given }}")}}, "d"))
        == "d4"
    )
