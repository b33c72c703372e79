"""A node sees the macros that dbt itself would show it (decision D253)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbt.clients.jinja import MacroStack
from dbt.context.macros import MacroNamespaceBuilder
from dbt.exceptions import PackageNotFoundForMacroError
from support import in_process

from orchestration.config.files import Settings
from orchestration.dbt_process import Namespace

OF_DBT = ["dbt_postgres", "dbt"]  # the packages of dbt itself, of which the first takes precedence
MACROS = {
    "dbt": ("render", "statement", "hook", "grant"),
    "dbt_postgres": ("statement", "analyze"),
    "ours": ("render", "analyze", "hook"),
    "other": ("hook", "grant", "lonely"),
}
# What each name means in the SQL of a package, and the package whose macro it is.
SEEN = {
    "ours": {"render": "ours", "statement": "dbt_postgres", "hook": "ours", "grant": "dbt", "analyze": "ours"},
    "other": {"render": "ours", "statement": "dbt_postgres", "hook": "other", "grant": "other", "analyze": "ours"},
    "dbt": {"render": "ours", "statement": "dbt_postgres", "hook": "ours", "grant": "dbt", "analyze": "ours"},
}


def macros() -> dict[str, dict[str, Any]]:
    return {
        package: {name: SimpleNamespace(name=name, package_name=package, unique_id=f"{package}.{name}") for name in of}
        for package, of in MACROS.items()
    }


def builder(search: str, node: object = None) -> Any:
    return MacroNamespaceBuilder("ours", search, MacroStack(), OF_DBT, node)  # type: ignore[no-untyped-call]


def names(namespace: Any) -> dict[str, Any]:
    """Return the id of the macro that each name means; for a package, those of its names."""
    return {
        name: names(namespace[name]) if isinstance(namespace[name], dict) else namespace[name].macro.unique_id
        for name in namespace
    }


def both(asked: Any, given: dict[str, dict[str, Any]]) -> tuple[Any, Any]:
    """Return the namespace that a load has, and that of dbt."""
    ours = asked.build_namespace(given, {})
    asked = MacroNamespaceBuilder(asked.root_package, asked.search_package, asked.thread_ctx, OF_DBT, asked.node)
    return ours, MacroNamespaceBuilder.build_namespace.__wrapped__(asked, given, {})  # type: ignore[attr-defined]


@pytest.mark.parametrize("search", SEEN)
def test_each_name_means_what_it_means_to_dbt(search: str) -> None:
    given = macros()
    ours, of_dbt = both(builder(search), given)
    assert isinstance(ours, Namespace) and not isinstance(of_dbt, Namespace)
    assert names(ours) == names(of_dbt)
    assert {name: ours[name].macro.package_name for name in SEEN[search]} == SEEN[search]
    for package in (None, "dbt", "ours", "other"):
        for name in ("render", "statement", "hook", "lonely", "missing"):
            found, expected = (namespace.get_from_package(package, name) for namespace in (ours, of_dbt))
            assert (found and found.macro) is (expected and expected.macro), (package, name)
    for namespace in (ours, of_dbt):
        with pytest.raises(PackageNotFoundForMacroError):
            namespace.get_from_package("dbt_postgres", "statement")


def test_a_macro_is_bound_to_the_node_that_sees_it() -> None:
    given = macros()
    for node in ("first", "second"):
        asked, context = builder("ours", node), {"node": node}
        macro = asked.build_namespace(given, context)["render"]
        assert (macro.context, macro.node, macro.stack) == (context, node, asked.thread_ctx)
        assert macro.context is context


def test_a_macro_that_is_added_is_seen() -> None:
    given = macros()
    assert "late" not in builder("ours").build_namespace(given, {})
    given["ours"]["late"] = SimpleNamespace(name="late", package_name="ours", unique_id="ours.late")
    assert builder("ours").build_namespace(given, {})["late"].macro.unique_id == "ours.late"


def test_the_macros_of_this_project_are_those_of_dbt(settings: Settings) -> None:
    manifest = in_process.parsed(settings.environment, settings.insights.warehouse.schema_name)
    asked = MacroNamespaceBuilder("orgo_insights", "orgo_insights", MacroStack(), OF_DBT)  # type: ignore[no-untyped-call]
    ours, of_dbt = both(asked, manifest.get_macros_by_package())
    assert len(names(ours)) > 500
    assert names(ours) == names(of_dbt)
