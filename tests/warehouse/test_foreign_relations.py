"""Empty tables under the names of marts, as Orgo's migrations make them, are replaced; others stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.deployed.deployed_schema import create_deployed_schema
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.errors import ConflictError, RefusedError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import InitReport, initialize
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

OWNER = "owner_of_foreign_tables"
TABLES = [
    *("dim_cases", "dim_dates", "dim_learning_groups", "dim_organizations", "dim_persons", "dim_tasks"),
    *("fact_cases", "fact_tasks", "fact_wellbeing_checkins"),
]
ROW = "insert into insights.dim_dates values ('2026-01-01', 2026, 1, 1, 'a', 1, 4, 'b', false)"


@pytest.fixture(scope="module")
def owner(postgres: LocalPostgres) -> Iterator[str]:
    """Yield a plain role with CREATEROLE."""
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create role {OWNER} login createrole")
    yield OWNER
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        databases = connection.execute(
            "select datname from pg_database where datdba = %s::regrole or datname = 'postgres'", [OWNER]
        ).fetchall()
        for (name,) in databases:
            with connect(postgres.url(name, "postgres")) as there:
                there.execute(f"reassign owned by {OWNER} to postgres; drop owned by {OWNER}")
        connection.execute(f"drop role {OWNER}")


@pytest.fixture
def deployed(database: str, postgres: LocalPostgres, settings: Settings, owner: str) -> Warehouse:
    """Return a database with the tables that Orgo's migrations create, owned by that role."""
    name = database.split("@/")[1].split("?", maxsplit=1)[0]
    with connect(postgres.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"alter database {name} owner to {owner}")
    with connect(postgres.url(name, owner)) as connection:
        create_deployed_schema(connection)
    return Warehouse(name, postgres, settings)


def _init(deployed: Warehouse, *, move_aside: bool = False) -> InitReport:
    with connect(deployed.postgres.url(deployed.name, OWNER)) as connection:
        return initialize(connection, deployed.settings, move_aside=move_aside)


def _tables(deployed: Warehouse) -> list[str]:
    rows = deployed.rows("select tablename from pg_tables where schemaname = 'insights' order by 1")
    return [name for (name,) in rows]


def test_empty_tables_are_dropped_once(deployed: Warehouse) -> None:
    deployed.execute("create table insights.of_somebody_else (a int)")
    assert _init(deployed).dropped == [f"insights.{name}" for name in TABLES]
    assert _tables(deployed) == ["of_somebody_else"]
    second = _init(deployed)
    assert (second.dropped, second.moved_aside) == ([], {})


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "insert into insights.dim_dates values ('2026-01-01', 2026, 1, 1, 'a', 1, 4, 'b', false)", id="row"
        ),
        pytest.param("create view insights.dim_roles as select 'a' as note", id="view"),
        pytest.param("create view public.depends as select task_id from insights.dim_tasks", id="dependent view"),
        pytest.param(
            "create table public.depends (task_id uuid references insights.dim_tasks (task_id))", id="foreign key"
        ),
        pytest.param("create table insights.dim_labels (a int) partition by list (a)", id="partitioned table"),
    ],
)
def test_one_table_with_rows_or_dependants_keeps_all(deployed: Warehouse, statement: str) -> None:
    with connect(deployed.postgres.url(deployed.name, OWNER)) as connection:
        connection.execute(statement.encode())
    before = _tables(deployed)
    with pytest.raises(ConflictError, match=r"dim_cases, dim_dates, .*insights init --move-aside"):
        _init(deployed)
    assert _tables(deployed) == before
    moved = _init(deployed, move_aside=True)
    assert moved.dropped == []
    assert {f"insights.{name}" for name in TABLES} <= set(moved.moved_aside)


def test_a_policy_cannot_make_a_table_look_empty(deployed: Warehouse) -> None:
    deployed.execute(f"{ROW};alter table insights.dim_dates enable row level security, force row level security")
    with pytest.raises(RefusedError, match=r"row-level security policy for table .dim_dates."):
        _init(deployed)
    assert deployed.value("select count(*) from insights.dim_dates") == 1
