"""A database made by Orgo's own migrations has the life of one that follows the contract, and the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from support.contents import incremental, rebuilt, reports, reviews, row_changes
from support.deployed.deployed_sample import fill, legal_rows
from support.deployed.deployed_schema import create_deployed_schema, delete_like_deployed
from support.deployed.ten_days import DAYS, day_of_life
from support.exports.exporting import STORES, ExportSession
from support.reviews.core_services import CoreServices as ReviewServer
from support.warehouse import DbtResult, Warehouse

from orchestration.config.files import Settings
from orchestration.reviews.core_services import CoreServices
from orchestration.reviews.send import SendReport, send_reviews
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.init import InitReport, initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres, remove_state, state_root

pytestmark = [pytest.mark.services, pytest.mark.timeout(1800)]  # eight loads, on a machine that may be busy

NO_TESTS = ("--exclude-resource-type", "test", "unit_test")
OWNER = "orgo_owner"
LOADS = (DAYS[0], DAYS[-1])  # of one day, and of nine
# What deployed databases cannot say, and what depends on the moment of a load.
WITHOUT = {
    "insights.dim_learning_groups": ("category",),
    "insights.fact_wellbeing_checkins": ("related_task_id",),
    "insights_ops.review_requests": ("requested_at",),
}
STAR_SCHEMA = (
    *("dim_cases", "dim_dates", "dim_learning_groups", "dim_organizations", "dim_persons", "dim_tasks"),
    *("fact_cases", "fact_tasks", "fact_wellbeing_checkins"),
)
DRIFT = [
    ("learning_group_memberships", "joined_at", "missing"),
    ("learning_group_memberships", "left_at", "missing"),
    ("learning_groups", "category", "missing"),
    ("wellbeing_checkins", "context", "other_type"),
    ("wellbeing_checkins", "related_task_id", "missing"),
]

# Keyed hashes of two databases are equal only with one key.
ONE_KEY = "update insights_ops.secret_keys set secret = sha256('one key')"

_numbers = count()


@dataclass(frozen=True)
class Pair:
    """The same facts in deployed tables, prepared by their owner, and in the contract's; each with its first build."""

    deployed: Warehouse
    contract: Warehouse
    report: InitReport
    result: DbtResult


def _copied(warehouse: Warehouse) -> Warehouse:
    return Warehouse.copy_of(
        warehouse.name, f"{warehouse.name}_{next(_numbers)}", warehouse.postgres, warehouse.settings
    )


def _marts() -> list[str]:
    ops = ("insights_ops.review_requests", "insights_ops.data_quality")
    return [*incremental(), *rebuilt(), *reports(), *reviews(), *ops]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """Yield a server of this module that has no roles of Insights yet."""
    state = state_root(tmp_path_factory.mktemp("deployed"))
    server = LocalPostgres(state)
    server.start()
    with connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"create role {OWNER} login createrole")
    yield server
    server.stop()
    remove_state(state)


def _deployed(server: LocalPostgres, settings: Settings, name: str, user: str) -> tuple[Warehouse, InitReport]:
    """Make a deployed database that a plain role owns, with the sample; `user` prepares it."""
    server.create_database(name)
    with connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"alter database {name} owner to {OWNER}")
    with connect(server.url(name, OWNER)) as connection:
        create_deployed_schema(connection)
        fill(connection, legal_rows())
    with connect(server.url(name, user)) as connection:
        report = initialize(connection, settings)
        connection.execute(ONE_KEY)
    return Warehouse(name, server, settings), report


@pytest.fixture(scope="module")
def pair(server: LocalPostgres, settings: Settings) -> Pair:
    deployed, report = _deployed(server, settings, "deployed", OWNER)
    server.create_database("contract")
    contract = Warehouse("contract", server, settings)
    with connect(contract.admin_url) as connection:
        create_operational_schema(connection)
        delete_like_deployed(connection)
        fill(connection, legal_rows())
        initialize(connection, settings)
        connection.execute(ONE_KEY)
    built = contract.build(*NO_TESTS)
    assert built.succeeded, built.output[-2000:]
    return Pair(deployed, contract, report, deployed.build())


def _rows(warehouse: Warehouse, relation: str) -> list[str]:
    """Return all rows of a mart as text, without the columns that the two schemas cannot share."""
    without = ["loaded_at", *WITHOUT.get(relation, ())]
    rows = warehouse.rows(f"select (to_jsonb(stored) - %s::text[])::text from {relation} as stored", without)  # noqa: S608
    return sorted(text for (text,) in rows)


def _assert_equal(first: Warehouse, second: Warehouse) -> None:
    """Compare two warehouses mart by mart, row by row."""
    for relation in _marts():
        here, there = _rows(first, relation), _rows(second, relation)
        only_here, only_there = set(here) - set(there), set(there) - set(here)
        assert (relation, sorted(only_here)[:3], sorted(only_there)[:3]) == (relation, [], [])
        assert (relation, len(here)) == (relation, len(there))


def test_the_owner_prepares_it_in_one_go(pair: Pair) -> None:
    assert pair.report.roles_created == ["orgo_insights_etl", "orgo_insights_ro", "orgo_insights_export"]
    assert pair.report.dropped == [f"insights.{name}" for name in STAR_SCHEMA]
    assert pair.report.moved_aside == {}
    missing = [f"{table}.{column}" for table, column, drift in DRIFT if drift == "missing"]
    assert sorted(pair.report.missing_columns) == missing


def test_the_first_build_passes_every_test_and_lists_the_drift(pair: Pair) -> None:
    assert pair.result.succeeded, pair.result.output[-2000:]
    drift = "select table_name, column_name, drift from insights_ops.source_drift order by 1, 2"
    assert pair.deployed.rows(drift) == DRIFT
    assert pair.contract.rows(drift) == []


def test_its_numbers_are_those_of_the_contract(pair: Pair) -> None:
    _assert_equal(pair.deployed, pair.contract)
    # The comparison is about something: groups by membership and by context, cases of check-ins, patterns, requests.
    checkins = "select count(learning_group_id), count(related_case_id) from insights.fact_wellbeing_checkins"
    ((in_groups, of_cases),) = pair.deployed.rows(checkins)
    assert in_groups > 100 and of_cases > 10
    contexts = """
        select count(*) > 10 from insights.fact_wellbeing_checkins as facts
        inner join public.wellbeing_checkins as source on facts.checkin_id = source.id
        inner join insights.dim_learning_groups as groups on facts.learning_group_id = groups.learning_group_id
        where source.context = to_jsonb(groups.code) and (
            select count(*) from public.learning_group_memberships as m where m.person_id = facts.person_id
        ) > 1
    """
    assert pair.deployed.value(contexts) is True
    for relation in (*reviews(), "insights_ops.review_requests"):
        assert pair.deployed.value(f"select count(*) from {relation}") > 0  # noqa: S608


def test_a_second_build_changes_nothing(pair: Pair) -> None:
    deployed = _copied(pair.deployed)
    before = {relation: _rows(deployed, relation) for relation in _marts()}
    written = row_changes(deployed)
    result = deployed.build(*NO_TESTS)
    assert result.succeeded, result.output[-2000:]
    assert row_changes(deployed) == written
    assert {relation: _rows(deployed, relation) for relation in _marts()} == before


def test_a_superuser_prepares_it_with_the_same_numbers(pair: Pair, server: LocalPostgres, settings: Settings) -> None:
    deployed, report = _deployed(server, settings, "deployed_by_superuser", "postgres")
    assert (report.roles_created, report.dropped) == ([], pair.report.dropped)
    result = deployed.build(*NO_TESTS)
    assert result.succeeded, result.output[-2000:]
    _assert_equal(deployed, pair.deployed)  # whose rows have passed every data test


def test_ten_days_of_life_end_with_the_same_numbers_reviews_and_exports(
    pair: Pair, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, contract = _copied(pair.deployed), _copied(pair.contract)
    for day in DAYS:
        for warehouse in (deployed, contract):
            warehouse.execute(day_of_life(day, deployed=warehouse is deployed))
            if day in LOADS:
                last = day == LOADS[-1] and warehouse is deployed
                result = warehouse.build(*(() if last else NO_TESTS), as_of=day.replace(day=day.day + 1))
                assert result.succeeded, (day, warehouse.name, result.output[-2000:])
        if day in LOADS:
            _assert_equal(deployed, contract)
    arrived = "select count(*) from insights.fact_{} where {}_date_key >= '2026-01-01'"
    assert deployed.value(arrived.format("cases", "opened")) >= 20
    new_members = """
        select count(learning_group_id), count(related_case_id) from insights.fact_wellbeing_checkins
        where checkin_id in (select md5('check-in ' || day::date)::uuid from generate_series(
            date '2026-01-01', date '2026-01-10', interval '1 day') as day)
    """
    assert deployed.rows(new_members) == [(10, 10)]

    requests = deployed.value("select count(*) from insights_ops.review_requests")
    with ReviewServer.started() as core, connect(deployed.etl_url, autocommit=True) as connection:
        sent = send_reviews(Database(settings, connection), CoreServices(core.url, None, 600))
        assert (sent, len(core.cases)) == (SendReport(sent=requests), requests)

    exported = [_exports(warehouse, tmp_path / warehouse.name, monkeypatch) for warehouse in (deployed, contract)]
    assert exported[0] == exported[1]
    empty = {name for name, rows in exported[0].items() if not rows}
    assert empty <= {"patterns_monthly", "patterns_yearly"}


def _exports(warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the rows of every export of the stores as text, without loaded_at."""
    session = ExportSession.at(warehouse, folder, monkeypatch)
    user = warehouse.value(
        "select min(u.id::text) from user_accounts as u inner join organizations as o on u.organization_id = o.id"
        " where o.slug = %s and u.status::text = 'active'",
        STORES,
    )
    found = {name: session.rows(name, user=user, organization=STORES) for name in session.definitions}
    return {name: sorted(str(row | {"loaded_at": None}) for row in rows) for name, rows in found.items()}
