"""A reader and each kind of error, and how many connections it opens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from support.dashboards.dashboard_scenario import OPEN, STORES, open_reader
from support.warehouse import Warehouse, connect_as

from orchestration.dashboards.question import Asked
from orchestration.errors import (
    BadInputError,
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

pytestmark = pytest.mark.services

ONE = Asked("overview", STORES, OPEN)
NOWHERE = "postgresql://etl:s3cret@127.0.0.1:1/orgo"
SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and usename = 'orgo_insights_ro'"


def _kind(ask: Callable[[], object]) -> type[InsightsError]:
    with pytest.raises(InsightsError) as caught:
        ask()
    assert "s3cret" not in str(caught.value)
    return type(caught.value)


def test_each_error_has_its_kind(prepared: Warehouse, built: Warehouse, database: str) -> None:
    no_one = Asked("overview", "00000000-0000-4000-8000-000000000000", OPEN)
    cases = [
        (built.reader_url, Asked("overview", "nobody", OPEN), NotFoundError),
        (built.reader_url, no_one, NotFoundError),
        (built.reader_url, Asked("no_dashboard", STORES, OPEN), NotFoundError),
        (built.reader_url, Asked("overview", STORES, ["SECRET"]), BadInputError),
        (prepared.reader_url, ONE, NotBuiltError),
        (database, ONE, NotBuiltError),
        (NOWHERE, ONE, UnavailableError),
        ("mysql://etl:s3cret@h/orgo", ONE, MisconfiguredError),
        (built.postgres.url("no_such_database", "postgres"), ONE, MisconfiguredError),
    ]
    for url, request, kind in cases:
        answer = partial(open_reader(built, url=url).ask, request, ["teacher"])
        assert _kind(answer) is kind, (url, request)
    built.execute("revoke select on insights.dim_organizations from orgo_insights_ro")
    assert _kind(lambda: open_reader(built).ask(ONE, ["teacher"])) is RefusedError


VOLUME = Asked("task_volume", STORES, OPEN)
# A report whose rows cannot be computed.
BROKEN = """
    alter table insights.report_task_volume rename to volume;
    create view insights.report_task_volume as select * from insights.volume where 1 / (task_count - task_count) > 0;
    grant select on insights.report_task_volume to orgo_insights_ro;
"""


def test_an_ambiguous_slug_a_broken_report_and_a_lost_log_have_their_kinds(built: Warehouse) -> None:
    def kind() -> type[InsightsError]:
        return _kind(lambda: open_reader(built).ask(VOLUME, ["teacher"]))

    built.execute(BROKEN)
    assert kind() is FailedError
    built.execute("drop table insights_ops.load_log cascade")
    assert kind() is NotPreparedError
    built.execute("update insights.dim_organizations set slug = 'same'")
    ambiguous = Asked("task_volume", "same", OPEN)
    assert _kind(lambda: open_reader(built).ask(ambiguous, ["teacher"])) is ConflictError


def test_a_server_that_is_down_is_an_error_and_is_tried_again(
    built: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    reader = open_reader(built, url=NOWHERE, cache__compute_seconds=600)
    with caplog.at_level(logging.WARNING, "orchestration"):
        assert [_kind(lambda: reader.ask(ONE, ["teacher"])) for _ in range(2)] == [UnavailableError] * 2
    assert "orchestration.dashboards.pool" in {record.name for record in caplog.records}
    assert "s3cret" not in caplog.text
    reader.close()


def test_connections_that_the_server_has_ended_cost_no_answer(built: Warehouse) -> None:
    reader = open_reader(built)
    first = reader.ask(ONE, ["teacher"])
    built.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = 'orgo_insights_ro'"
    )
    assert reader.ask(ONE, ["teacher"]).entry.body == first.entry.body
    reader.close()
    assert reader.ask(ONE, ["teacher"]).entry.body == first.entry.body
    reader.close()


def test_a_reader_opens_no_more_connections_than_configured(built: Warehouse) -> None:
    reader = open_reader(built, warehouse__max_reader_connections=2)
    answered = threading.Event()
    most = 0

    def watch() -> None:
        nonlocal most
        with connect_as(built.admin_url) as admin:
            while not answered.is_set():
                row = admin.execute(SESSIONS).fetchone()
                most = max(most, row[0] if row else 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    requests = [Asked("task_volume", STORES, OPEN, parameters={"days": days}) for days in range(1, 31)]
    with ThreadPoolExecutor(20) as threads:
        bodies = [answer.entry.body for answer in threads.map(lambda one: reader.ask(one, ["teacher"]), requests)]
    answered.set()
    watcher.join()
    assert len(bodies) == 30
    assert 1 <= most <= 2
    reader.close()


def test_a_connection_that_is_never_free_is_waited_for_no_longer_than_a_computation(built: Warehouse) -> None:
    reader = open_reader(built, warehouse__max_reader_connections=1, cache__compute_seconds=1)
    question = reader.question(Asked("overview", "00000000-0000-4000-8000-000000000000", OPEN))
    none_free = r"No connection .* was free within 1 s: all 1 .*max_reader_connections"
    with reader._warehouse._pool.connection(1), pytest.raises(UnavailableError, match=none_free):
        reader.compute(question)
    with connect_as(built.admin_url) as holder, holder.transaction():
        holder.execute("lock table insights.dim_organizations in access exclusive mode")
        assert _kind(lambda: reader.compute(question)) is TimedOutError
    reader.close()
