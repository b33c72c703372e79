"""Another dbt package beside this project builds by dbt's own rules, and our relations and rules stay as they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from support.packages.neighbor import RELATIONS, write_package
from support.plain_dbt import libpq_variables
from support.recipes import Copy
from support.warehouse import Warehouse, disposable_copy

from orchestration.config.files import Settings
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

SELECTED = ("--select", "package:neighbor", "stg_roles", "dim_dates", "--indirect-selection", "cautious")
AS_OF = "2026-01-01"
PLACES = """
    select n.nspname, c.relname
    from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname like 'insights%%' and c.relkind in ('r', 'v', 'm')
"""


@dataclass(frozen=True)
class Neighbored:
    """A copy of the project with another package installed, the database that it builds, and what was read of it."""

    copy: Copy
    warehouse: Warehouse
    plain: dict[str, str]  # the variables of a plain dbt
    listed: dict[str, list[str]]  # by selector
    seen: dict[str, Any]  # by Python


@pytest.fixture(scope="module")
def neighbored(
    tmp_path_factory: pytest.TempPathFactory, postgres: LocalPostgres, settings: Settings, prepared_sample: str
) -> Iterator[Neighbored]:
    copy = Copy.make(tmp_path_factory.mktemp("packages"))
    write_package(copy.work / "neighbor")
    (copy.project / "packages.yml").write_text(f"packages: [{{ local: {copy.work / 'neighbor'} }}]\n", "utf-8")
    assert "WARNING" not in copy.run("dbt", "deps", "--no-use-colors")
    names = [selector["name"] for selector in yaml.safe_load((copy.project / "selectors.yml").read_text())["selectors"]]
    with disposable_copy(prepared_sample, "neighbored", postgres, settings) as warehouse:
        plain = libpq_variables(postgres, warehouse.name, "orgo_insights_etl")
        plain |= {"DBT_TARGET_PATH": str(copy.work / "plain")}
        path = f"{copy.project}{os.pathsep}{copy.project / 'tests'}"
        program = ("python", "-m", "support.packages.neighbor_read")
        read = copy.run(*program, warehouse.etl_url, json.dumps(plain), AS_OF, *names, PYTHONPATH=path)
        found = json.loads(read.splitlines()[-1])
        yield Neighbored(copy, warehouse, plain, found.pop("listed"), found)


def test_another_package_is_built_beside_the_marts(neighbored: Neighbored) -> None:
    copy, prepared = neighbored.copy, neighbored.warehouse
    before = set(prepared.rows(PLACES))

    def build() -> str:
        arguments = ("build", "--as-of", AS_OF, *SELECTED)
        return copy.run("insights", *arguments, INSIGHTS_WAREHOUSE_URL=prepared.etl_url)

    # The role that builds may create no schemas. The refusal names the statement that helps; a grant helps too.
    with pytest.raises(AssertionError, match="of another dbt package does not exist") as refused:
        build()
    (statement,) = set(re.findall(r'create schema "?\w+"? authorization \w+', " ".join(str(refused.value).split())))
    prepared.execute(statement)
    prepared.execute(f'grant create on database "{prepared.name}" to orgo_insights_etl')
    build()
    ours = {("insights_staging", "stg_roles"), ("insights", "dim_dates")}
    assert set(prepared.rows(PLACES)) - before >= RELATIONS | ours
    assert {name for schema, name in set(prepared.rows(PLACES)) - before if schema == "insights"} == {"dim_dates"}
    # Plain dbt, and the second run of each: neither the check of foreign relations nor the rules of marts stop it.
    copy.run("dbt", "build", "--vars", f"{{as_of: {AS_OF}}}", *SELECTED, **neighbored.plain)
    build()
    assert prepared.value("select count(*) from insights_elementary.watched_runs where run_id is null") == 3
    assert prepared.value("select count(*) from insights_elementary.watched_runs where added = 1") == 2
    assert prepared.value("select count(*) from insights_hooks.runs") >= 3
    assert set(prepared.rows("select * from insights_hooks.starts")) == {(1,)}
    assert prepared.rows("select * from insights_elementary.uploaded") == [(7, "by a hook")] * 3
    assert prepared.value("select obj_description('insights.dim_dates'::regclass)").startswith("Grain:")
    assert (
        prepared.value(
            "select format_type(atttypid, null) from pg_attribute"
            " where attrelid = 'insights_neighbor.known_history'::regclass and attname = 'dbt_valid_from'"
        )
        == "timestamp without time zone"
    )


def test_no_step_of_a_dag_builds_or_tests_another_package(neighbored: Neighbored) -> None:
    assert len(neighbored.listed) > 8
    for selector, listed in neighbored.listed.items():
        assert listed
        assert [name for name in listed if "neighbor." in name] == [], selector


def test_python_sees_the_nodes_of_this_project_only(neighbored: Neighbored) -> None:
    expected = {"is_in_manifest": True, "schema": "insights_ops", "is_relation": False, "is_mart": False}
    assert neighbored.seen == expected
