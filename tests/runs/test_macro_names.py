"""Macros have in each node the names that dbt gives them (decision D258)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dbt.clients.jinja import MacroGenerator, MacroStack
from dbt.context import macros
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
    one = next(value for value in ours.values() if isinstance(value, MacroGenerator))
    assert (one.context, one.stack, one.node) == (context, stack, None)
    assert vars(one).keys() == vars(MacroGenerator(one.macro, context, None, stack)).keys()
