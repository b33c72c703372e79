"""`insights init --plan` lists what init then does, changes nothing, and waits for nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner, Result
from support.upgrades.dumps import dump, names, roles, schema
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.errors import BusyError, RefusedError
from orchestration.warehouse import init as init_module
from orchestration.warehouse import plan as plan_module
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from orchestration.warehouse.plan import Change, plan
from orchestration.warehouse.releases import this_release

pytestmark = pytest.mark.services

# What readers may wait for a plan that waits for a lock: it gives up each attempt after 0.1 s.
LONGEST_WAIT = "500ms"
# Each statement takes away, or changes, something that init makes: what a plan then says, in the plan's order.
DAMAGE = {
    "alter table insights_ops.load_log drop column source_claim": [
        ("create", "column", "insights_ops.load_log.source_claim", "bigint")
    ],
    "drop index insights_ops.former_rows_replaced": [
        (
            "create",
            "index",
            "insights_ops.former_rows_replaced",
            "CREATE INDEX former_rows_replaced ON insights_ops.former_rows USING btree (replaced_at)",
        )
    ],
    "create or replace function insights_ops.latest_as_of() returns date language sql as 'select current_date'": [
        ("change", "function", "insights_ops.latest_as_of()", "+5 -1 lines of its definition")
    ],
    "revoke insert on insights_ops.load_log from orgo_insights_etl": [
        ("change", "privileges", "on insights_ops.load_log to orgo_insights_etl", "select -> insert, select")
    ],
    "revoke select (id) on task_comments from orgo_insights_etl": [
        (
            "change",
            "privileges",
            "select on columns of public.task_comments to orgo_insights_etl",
            "task_id, created_at, updated_at -> id, task_id, created_at, updated_at",
        )
    ],
    "comment on table insights_ops.load_log is 'Something else'": [
        (
            "change",
            "comment",
            "insights_ops.load_log",
            "Something else -> One row for each time a relation was loaded; the newest row of a relation is its"
            " watermark.",
        )
    ],
    "delete from insights_ops.profiles where profile_code = 'hospital'": [
        ("create", "row", "insights_ops.profiles: hospital", "")
    ],
    "update insights_ops.releases set scripts_sha256 = 'of an earlier state'": [
        ("create", "row", "insights_ops.releases: 2", "")
    ],
    "drop table insights_ops.backup_runs": [
        ("create", "privileges", "on insights_ops.backup_runs to orgo_insights_etl", "insert, select"),
        ("create", "table", "insights_ops.backup_runs", ""),
    ],
    "create table insights.fact_tasks (id int)": [("drop", "table", "insights.fact_tasks", "")],
    "alter role orgo_insights_etl set jit to 'on'": [
        ("change", "setting", "jit of orgo_insights_etl", "on -> off"),
    ],
}


def _planned(warehouse: Warehouse, url: str | None = None) -> list[Change]:
    with connect(url or warehouse.admin_url) as connection:
        return plan(connection, warehouse.settings)


def _init(warehouse: Warehouse) -> None:
    with connect(warehouse.admin_url) as connection:
        initialize(connection, warehouse.settings)


def _tuples(changes: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(one.change, one.kind, one.name, one.detail) for one in changes]


@pytest.fixture
def ready(prepared: Warehouse) -> Iterator[Warehouse]:
    """Yield a database for which nothing is to be done, which a copy is not: it lacks the privileges on the database.

    The roles, which other databases of the server use, get their settings again.
    """
    _init(prepared)
    yield prepared
    _init(prepared)


def test_a_first_plan_lists_what_init_then_makes_and_the_next_one_is_empty(operational: Warehouse) -> None:
    before, roles_before = schema(operational), roles(operational)
    changes = _planned(operational)
    assert (schema(operational), roles(operational)) == (before, roles_before)
    assert {one.change for one in changes} <= {"create", "analyze"}
    _init(operational)
    after = schema(operational)
    for kind, of_dump in (("table", "TABLE"), ("view", "VIEW"), ("function", "FUNCTION"), ("schema", "SCHEMA")):
        made = {name.replace(", ", ",") for name in names(after, of_dump) - names(before, of_dump)}
        listed = {one.name.replace(", ", ",") for one in changes if (one.change, one.kind) == ("create", kind)}
        assert listed == made, kind
        assert made, kind
    granted = {
        line.split(" ON TABLE ")[1].split(" TO ")[0]
        for line in after.splitlines()
        if line.startswith("GRANT ") and " ON TABLE " in line
    }
    listed = {one.name.split(" to ")[0].split()[-1] for one in changes if one.kind == "privileges"}
    assert granted == {name for name in listed if f"CREATE TABLE {name} " in after or f"CREATE VIEW {name} " in after}
    assert {one.name for one in changes if one.kind == "row" and "profiles" in one.name} == {
        f"insights_ops.profiles: {code}" for code in operational.settings.profiles
    }
    assert _planned(operational) == []


@pytest.mark.parametrize("is_of_this_release", [True, False])
def test_each_difference_is_listed_and_init_removes_it(ready: Warehouse, is_of_this_release: bool) -> None:
    assert _planned(ready) == []
    whole = schema(ready), roles(ready)
    chosen = {damage: DAMAGE[damage] for damage in DAMAGE if not (is_of_this_release and "releases" in damage)}
    for damage in chosen:
        ready.execute(damage)
    damaged = dump(ready)
    listed = [one for differences in chosen.values() for one in differences]
    assert _tuples(_planned(ready)) == sorted(listed, key=lambda one: one[1:3])  # by kind and name
    assert dump(ready) == damaged
    _init(ready)
    # A column that was dropped comes back as the last one, which it is.
    assert (schema(ready), roles(ready)) == whole
    assert _planned(ready) == []


def test_relations_that_are_moved_aside_are_listed_with_where_they_go(ready: Warehouse) -> None:
    ready.execute("create table insights.fact_tasks (id int primary key); insert into insights.fact_tasks values (1)")
    with connect(ready.admin_url) as connection:
        changes = plan(connection, ready.settings, move_aside=True)
    assert _tuples(changes) == [
        ("create", "schema", "insights_aside", "owner postgres"),
        ("move", "table", "insights.fact_tasks", "to insights_aside.fact_tasks, with its rows"),
    ]
    assert ready.rows("select id from insights.fact_tasks") == [(1,)]
    ready.execute("drop table insights.fact_tasks")


def test_statistics_that_init_would_collect_are_listed_and_not_collected(operational: Warehouse) -> None:
    operational.execute("insert into roles (id, code, display_name) values (gen_random_uuid(), 'a', 'A')")
    _init(operational)
    operational.execute(
        "create table copied (like roles); drop table roles cascade; alter table copied rename to roles"
    )
    changes = [one for one in _planned(operational) if one.change == "analyze"]
    assert changes == [Change("analyze", "table", '"public"."roles"', "")]
    assert operational.value("select reltuples from pg_class where oid = 'public.roles'::regclass") == -1
    _init(operational)
    assert operational.value("select reltuples from pg_class where oid = 'public.roles'::regclass") == 0


def test_a_user_who_may_not_prepare_the_database_learns_what_it_lacks(ready: Warehouse) -> None:
    for url in (ready.etl_url, ready.reader_url):
        with pytest.raises(RefusedError, match=r"cannot try what would change: (permission denied|must )"):
            _planned(ready, url)


def test_a_plan_passes_a_load_and_a_reader(built: Warehouse) -> None:
    _init(built)
    with connect(built.admin_url) as load, connect(built.reader_url) as reader:
        # A load that writes holds these, and a dump or dashboard the other.
        for table in ("insights_ops.load_log", "insights_ops.test_results", "insights.fact_tasks"):
            load.execute(f"lock table {table} in row exclusive mode".encode())
        reader.execute("select count(*) from insights.fact_tasks")
        reader.execute("select max(load_log_id) from insights_ops.load_log")
        assert _planned(built) == []


def test_a_plan_and_init_pass_an_autovacuum(ready: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_module, "PATIENCE", 0)
    with connect(ready.admin_url) as vacuum:
        tables = "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = %s::regnamespace"
        for (name,) in vacuum.execute(tables, ["insights_ops"]).fetchall():
            vacuum.execute(f"lock table {name} in share update exclusive mode".encode())
        assert _planned(ready) == []
        _init(ready)


def test_a_plan_that_needs_what_a_reader_holds_gives_up_soon_and_lets_others_pass(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _init(built)
    built.execute("alter table insights_ops.load_log drop column source_claim")
    before = dump(built)
    with connect(built.admin_url) as dumping, ThreadPoolExecutor(1) as pool:
        dumping.execute("lock table insights_ops.load_log in access share mode")
        monkeypatch.setattr(plan_module, "PATIENCE", 1)
        planning = pool.submit(_planned, built)
        with connect(built.reader_url, autocommit=True) as reader:
            reader.execute(f"set lock_timeout to '{LONGEST_WAIT}'".encode())  # the server measures it
            answers = []
            while not planning.done():
                answers.append(reader.execute("select max(load_log_id) from insights_ops.load_log").fetchone())
        with pytest.raises(
            BusyError, match=rf"Nothing was changed.*process {dumping.info.backend_pid} \(role postgres"
        ):
            planning.result()
    assert len(answers) > 1
    assert dump(built) == before
    assert _tuples(_planned(built)) == DAMAGE["alter table insights_ops.load_log drop column source_claim"]


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["init", *arguments])


def test_the_command_prints_rows_and_ends_with_3_if_there_is_something_to_do(
    ready: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", ready.admin_url)
    done = _run("--plan")
    assert (done.exit_code, done.stdout) == (0, "Nothing to do: insights init would change nothing.\n")
    done = _run("--plan", "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    ready.execute("drop index insights_ops.former_rows_replaced")
    done = _run("--plan")
    assert done.exit_code == 3
    assert "create  index  insights_ops.former_rows_replaced  CREATE INDEX" in done.stdout
    done = _run("--plan", "--format", "json")
    assert (done.exit_code, [row["name"] for row in json.loads(done.stdout)]) == (
        3,
        ["insights_ops.former_rows_replaced"],
    )
    refused = _run("--format", "json")
    assert (refused.exit_code, "--format is the format of a plan" in refused.output) == (2, True)


def test_the_version_of_the_newest_row_is_that_of_this_release(prepared: Warehouse) -> None:
    assert prepared.rows("select release_number, version, prepared_by from insights_ops.releases") == [
        (1, this_release(), "postgres")
    ]
