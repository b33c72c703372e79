"""The one object of the warehouse: names, organizations, and PostgreSQL's errors, each provoked on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.errors import (
    BusyError,
    ConflictError,
    FailedError,
    InsightsError,
    MisconfiguredError,
    NotBuiltError,
    NotFoundError,
    NotPreparedError,
    RefusedError,
    TimedOutError,
    UnavailableError,
)
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from orchestration.warehouse.names import Names
from workshop.services import LocalPostgres

STORES = "sample-stores"


@contextmanager
def opened(warehouse: Warehouse, url: str) -> Iterator[Database]:
    with connect_as(url) as connection:
        yield Database(warehouse.settings, connection)


def test_the_names_follow_the_schema(settings: Settings) -> None:
    own = settings.insights.warehouse.model_copy(update={"schema_name": "own"})
    names = Names.of(replace(settings, insights=settings.insights.model_copy(update={"warehouse": own})))
    assert names.schemas == ("own", "own_staging", "own_snapshots", "own_personal", "own_ops")
    found = [names.mart("m"), names.staging("s"), names.ops("o"), names.source("tasks")]
    assert [name.as_string() for name in found] == [
        '"own"."m"',
        '"own_staging"."s"',
        '"own_ops"."o"',
        '"public"."tasks"',
    ]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("mysql://etl:s3cret@h/orgo", MisconfiguredError),
        ("postgresql://etl:s3cret@no-such-host.invalid/orgo", MisconfiguredError),
        ("postgresql://etl:s3cret@127.0.0.1:99999/orgo", MisconfiguredError),
        ("postgresql://etl:s3cret@/orgo?host=/tmp&sslmode=maybe", MisconfiguredError),
        ("postgresql://etl:s3cret@127.0.0.1:1/orgo", UnavailableError),
        ("postgresql://etl:s3cret@/orgo?host=/nowhere", UnavailableError),
    ],
)
def test_an_address_that_is_wrong_is_not_a_server_that_is_down(url: str, kind: type[InsightsError]) -> None:
    with pytest.raises(InsightsError, match=r"^Cannot connect to PostgreSQL: ") as caught:
        connect(url)
    assert type(caught.value) is kind
    assert "s3cret" not in str(caught.value)


@pytest.mark.services
def test_an_unknown_database_or_role_is_misconfigured(postgres: LocalPostgres, database: str) -> None:
    for url in (postgres.url("there_is_no_such_database", "postgres"), database.replace("postgres@", "nobody_here@")):
        with pytest.raises(MisconfiguredError, match=r'(database|role) "\w+" does not exist'):
            connect(url)
    with connect(database, autocommit=True) as connection:
        connection.execute("create role outsider login")
        connection.execute(f"revoke connect on database {connection.info.dbname} from public")
        with pytest.raises(RefusedError, match="permission denied for database"):
            connect(postgres.url(connection.info.dbname, "outsider"))
        connection.execute("drop role outsider")


@pytest.mark.services
def test_an_organization_is_found_by_slug_and_by_id_in_capitals_too(built: Warehouse) -> None:
    id_ = built.value("select organization_id from insights.dim_organizations where slug = %s", STORES)
    with opened(built, built.reader_url) as db:
        assert [db.organization(given) for given in (STORES, str(id_), str(id_).upper())] == [id_] * 3
        for unknown in ("sample", STORES.upper(), f"{{{id_}}}", "", "%", "a\0b", "\ud800", str(id_)[:-1]):
            with pytest.raises(NotFoundError, match="There is no organization"):
                db.organization(unknown)
    built.execute("update insights.dim_organizations set slug = 'twin' where slug like 'sample-%'")
    with opened(built, built.etl_url) as db:
        with pytest.raises(ConflictError, match="Several organizations have the slug 'twin'"):
            db.organization("twin")
        assert db.organization(str(id_)) == id_


@pytest.mark.services
def test_a_database_that_is_not_built_has_no_organizations(prepared: Warehouse, database: str) -> None:
    with opened(prepared, prepared.etl_url) as db, pytest.raises(NotBuiltError, match="insights build"):
        db.organization(STORES)
    with opened(prepared, database) as db, pytest.raises(NotBuiltError, match="insights init, then insights build"):
        db.organization(STORES)


@pytest.mark.services
def test_each_error_of_the_server_has_its_kind(prepared: Warehouse, database: str) -> None:
    cases: list[tuple[str, str, type[InsightsError]]] = [
        (database, "select from insights_ops.load_log", NotPreparedError),
        (database, "select insights_ops.latest_as_of()", NotPreparedError),
        (prepared.etl_url, "select insights_ops.of_another_release()", NotPreparedError),
        (prepared.etl_url, "select from insights_ops.review_requests", NotBuiltError),
        (prepared.etl_url, "select from insights.dim_tasks", NotBuiltError),
        (prepared.etl_url, "select later from insights_ops.load_log", NotBuiltError),
        (prepared.reader_url, "delete from insights_ops.profiles", RefusedError),
        (prepared.etl_url, "begin read only; delete from insights_ops.profiles", RefusedError),
        (prepared.etl_url, "set statement_timeout = 20; select pg_sleep(60)", TimedOutError),
        (prepared.admin_url, "select pg_terminate_backend(pg_backend_pid())", UnavailableError),
        (prepared.etl_url, "select 1 / 0", FailedError),
    ]
    for url, statement, kind in cases:
        with connect_as(url) as connection:
            with pytest.raises(InsightsError) as caught:
                Database(prepared.settings, connection).execute(statement)
            assert type(caught.value) is kind, f"{statement}: {caught.value}"
            assert caught.value.__cause__ is not None


@pytest.mark.services
def test_locked_rows_are_busy_and_the_caller_says_it_in_its_own_words(prepared: Warehouse) -> None:
    with connect_as(prepared.admin_url) as holder, holder.transaction(), opened(prepared, prepared.etl_url) as db:
        holder.execute("lock table insights_ops.profiles")
        db.execute("set lock_timeout = 20")
        with pytest.raises(BusyError, match=r"^Another session holds what this needs \(canceling statement"):
            db.execute("delete from insights_ops.profiles")
        own = db.saying({ConflictError: "Profiles are being written ({detail})."})
        with pytest.raises(BusyError, match=r"^Profiles are being written \(canceling statement"):
            own.execute("delete from insights_ops.profiles")


@pytest.mark.services
def test_a_session_that_ends_within_the_block_is_a_server_that_does_not_answer(
    prepared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    with pytest.raises(UnavailableError, match="does not answer"), Database.open(prepared.settings) as db:
        pid = db.connection.info.backend_pid
        prepared.rows("select pg_terminate_backend(%s)", pid)
        db.connection.execute("select pg_sleep(60)")
