"""Another dbt package beside this project builds by dbt's own rules, and our relations and rules stay as they are."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from support.neighbor import RELATIONS, write_package
from support.plain_dbt import libpq_variables
from support.recipes import Copy
from support.warehouse import Warehouse

pytestmark = pytest.mark.services

SELECTED = ("--select", "package:neighbor", "stg_roles", "dim_dates", "--indirect-selection", "cautious")
# Prints what `dbt ls` finds for each selector; the project is read once.
LIST = """
import json, sys
from dbt.cli.main import dbtRunner
run = dbtRunner(dbtRunner().invoke(["parse", "--quiet"]).result)
print(json.dumps({name: run.invoke(["ls", "--log-level", "none", "--selector", name]).result for name in sys.argv[1:]}))
"""
PLACES = """
    select n.nspname, c.relname
    from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname like 'insights%%' and c.relkind in ('r', 'v', 'm')
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Return a copy of the project with the other package installed."""
    copy = Copy.make(tmp_path_factory.mktemp("packages"))
    write_package(copy.work / "neighbor")
    (copy.project / "packages.yml").write_text(f"packages: [{{ local: {copy.work / 'neighbor'} }}]\n", "utf-8")
    assert "WARNING" not in copy.run("dbt", "deps", "--no-use-colors")
    return copy


def test_another_package_is_built_beside_the_marts(copy: Copy, prepared: Warehouse) -> None:
    before = set(prepared.rows(PLACES))

    def build() -> str:
        arguments = ("build", "--as-of", "2026-01-01", *SELECTED)
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
    variables = libpq_variables(prepared.postgres, prepared.name, "orgo_insights_etl")
    copy.run("dbt", "build", "--vars", "{as_of: 2026-01-01}", *SELECTED, **variables)
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


def test_no_step_of_a_dag_builds_or_tests_another_package(copy: Copy) -> None:
    selectors = [
        selector["name"] for selector in yaml.safe_load((copy.project / "selectors.yml").read_text())["selectors"]
    ]
    assert len(selectors) > 8
    listed = json.loads(copy.run("python", "-c", LIST, *selectors))
    for selector in selectors:
        assert listed[selector]
        assert [name for name in listed[selector] if "neighbor." in name] == [], selector


def test_python_sees_the_nodes_of_this_project_only(copy: Copy) -> None:
    copy.run("insights", "manifest")
    script = (
        "from orchestration.config.files import load_settings; from orchestration import manifest;"
        " m = manifest.read_manifest(load_settings()); r = manifest.relations(m);"
        " assert 'model.neighbor.fct_models' in m['nodes'];"
        " print('rejects:', r['rejects'].schema); print('fct_models' in r, 'fct_models' in manifest.marts(m))"
    )
    assert copy.run("python", "-c", script).split() == ["rejects:", "insights_ops", "False", "False"]
