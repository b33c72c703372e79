"""The warm-up: what it chooses, that a reader finds it, and what a Redis or a kill can do to it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from support.dashboards.dashboard_scenario import open_reader, patient_commands
from support.dashboards.dashboard_settings import changed
from support.dashboards.slow_line import SlowLine
from support.warehouse import Warehouse

from orchestration.cache.entries import Entry
from orchestration.config.files import Settings, load_settings
from orchestration.config.tokens import PerEnvironment
from orchestration.dashboards import warm as warm_module
from orchestration.dashboards.question import Asked, Question, cache_key
from orchestration.dashboards.reader import Reader
from orchestration.dashboards.warm import candidates, warm
from orchestration.errors import InsightsError
from orchestration.warehouse.connection import connect
from workshop.services import LocalRedis

pytestmark = pytest.mark.services

# `insights`, but for the time that it gives Redis.
PATIENT_WARM = """
from orchestration.cache.store import Store
from orchestration.dashboards import reader
reader.Store = lambda url, _, pause: Store(url, 60, pause)
from orchestration.cli import main
main()
"""
SEES = ("PUBLIC", "INTERNAL")  # what every role may see in the shipped configuration


@pytest.fixture
def client(redis_server: LocalRedis) -> Iterator[redis.Redis]:
    """Yield a client of the Redis that does not use the code under test."""
    with redis.Redis.from_url(redis_server.url()) as found:
        yield found


@pytest.fixture
def make_reader(
    built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Reader, Settings]]]:
    """Return a function that opens a reader of the built sample, with another `max_keys_per_dashboard` if given."""
    monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    patient_commands(monkeypatch)
    made: list[Reader] = []

    def make(max_keys: int | None = None) -> tuple[Reader, Settings]:
        settings = load_settings()
        if max_keys is not None:
            most = PerEnvironment.model_validate(max_keys)
            cache = settings.insights.cache.model_copy(update={"max_keys_per_dashboard": most})
            settings = replace(settings, insights=settings.insights.model_copy(update={"cache": cache}))
        made.append(Reader.open(settings))
        return made[-1], settings

    yield make
    for reader in made:
        reader.close()


def _organizations(built: Warehouse) -> list[str]:
    return [
        str(row[0])
        for row in built.rows("select id from organizations where lower(trim(status::text)) = 'active' order by slug")
    ]


def _entries(client: redis.Redis, dashboard: str) -> int:
    return len(list(client.scan_iter(f"insights:dev:{{{dashboard}}}:entry:*")))


def test_a_cold_cache_is_warmed_for_every_organization_and_readers_hit_it(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, client: redis.Redis
) -> None:
    reader, settings = make_reader()
    organizations = _organizations(built)
    assert len(organizations) > 1
    report = warm(reader, settings)
    assert report.is_whole
    for name in reader.dashboards:
        warmed = report.dashboards[name]
        assert (warmed.computed, warmed.kept, warmed.found, warmed.share) == (*[len(organizations)] * 3, 1.0)
        assert _entries(client, name) == len(organizations)
        for organization in organizations:
            assert reader.ask(Asked(name, organization, SEES), ["nurse"]).outcome == "hits"


def test_a_fresh_answer_is_not_computed(make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse) -> None:
    reader, settings = make_reader()
    warm(reader, settings, ["overview"])
    again = warm(reader, settings, ["overview"]).dashboards
    assert list(again) == ["overview"]
    number = len(_organizations(built))
    assert (again["overview"].fresh, again["overview"].computed, again["overview"].found) == (number, 0, number)


def test_the_most_requested_questions_come_first_and_no_more_than_a_dashboard_may_have(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, client: redis.Redis
) -> None:
    reader, settings = make_reader(max_keys=3)
    last, other = _organizations(built)[-1], _organizations(built)[0]
    often = Asked("task_volume", last, SEES, parameters={"days": 90})
    once = Asked("task_volume", other, ["PUBLIC"], parameters={"days": 7})
    for request in (once, often, often):
        reader.ask(request, ["nurse"])
    reader.answers.counters.send()
    chosen = candidates(reader, settings, ["task_volume"])
    # Asked twice, asked once, and then the default question of an organization that has nothing yet.
    third = Asked("task_volume", _organizations(built)[1], SEES)
    assert chosen == [reader.question(a) for a in (often, once, third)]
    warm(reader, settings)
    assert {name: _entries(client, name) for name in reader.dashboards} == {
        name: min(3, len(_organizations(built))) for name in reader.dashboards
    }


def test_questions_without_time_left_are_reported(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse
) -> None:
    reader, settings = make_reader()
    report = warm(reader, settings, ["overview"], seconds=0)
    assert (report.dashboards["overview"].unreached, report.dashboards["overview"].share) == (
        len(_organizations(built)),
        None,
    )


def test_a_slow_warehouse_gets_no_more_queries_than_there_is_time_for(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, settings = make_reader()
    compute_all = reader.compute_all

    def slowly(questions: Sequence[Question]) -> list[Entry]:
        time.sleep(0.1 * len(questions))
        return compute_all(questions)

    monkeypatch.setattr(reader, "compute_all", slowly)
    warmed = warm(reader, settings, seconds=0.5).dashboards.values()
    # All of them at once would have taken more than three times as long.
    assert sum(w.computed + w.unreached for w in warmed) == len(reader.dashboards) * len(_organizations(built)) >= 15
    assert sum(w.unreached for w in warmed) >= 5


def test_answers_that_were_kept_where_no_reader_looks_are_no_success(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, settings = make_reader()
    keep = reader.keep

    def elsewhere(entries: Sequence[tuple[Question, Entry]]) -> list[str | None]:
        return keep([(replace(question, definition="another"), entry) for question, entry in entries])

    monkeypatch.setattr(reader, "keep", elsewhere)
    report = warm(reader, settings, ["overview"])
    number = len(_organizations(built))
    assert (report.dashboards["overview"].kept, report.dashboards["overview"].found) == (number, 0)
    assert (report.dashboards["overview"].share, report.is_whole) == (0.0, False)


def test_what_the_widest_role_sees_is_warmed_where_a_user_has_it(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse
) -> None:
    reader, settings = make_reader()
    organizations = _organizations(built)
    for roles, sets in (([], [SEES]), (["auditor"], [SEES, (*SEES, "RESTRICTED")])):
        access = changed(settings, {"access.restricted_roles": roles})
        wanted = [Asked("overview", organization, sees) for organization in organizations for sees in sets]
        assert candidates(reader, access, ["overview"]) == [reader.question(request) for request in wanted]


def test_a_full_redis_is_said_and_is_no_success(
    make_reader: Callable[..., tuple[Reader, Settings]], client: redis.Redis
) -> None:
    reader, settings = make_reader()
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    report = warm(reader, settings, ["overview"])
    assert not report.is_whole
    assert (report.dashboards["overview"].kept, report.dashboards["overview"].found) == (0, 0)
    assert "maxmemory" in (report.dashboards["overview"].trouble or "")


def _with_large_answers(reader: Reader, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append `size` blanks to the JSON of every answer."""
    compute_all = reader.compute_all

    def larger(questions: Sequence[Question]) -> list[Entry]:
        return [replace(entry, body=entry.body + b" " * size) for entry in compute_all(questions)]

    monkeypatch.setattr(reader, "compute_all", larger)


def test_a_large_batch_may_take_longer_than_redis_may_be_silent(
    built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apply `timeout_ms` to each answer that is sent and to each silence, not to a whole round trip."""
    monkeypatch.setattr(warm_module, "FIRST_BATCH", warm_module.BATCH)  # all questions in one go
    with (
        SlowLine(redis_server, 1_000_000) as line,
        closing(open_reader(built, cache__url=line.url(), cache__timeout_ms=2000)) as reader,
    ):
        _with_large_answers(reader, 150_000, monkeypatch)
        report = warm(reader, built.settings)
        number = len(reader.dashboards) * len(_organizations(built))
        assert sum(warmed.found for warmed in report.dashboards.values()) == number <= warm_module.BATCH
        assert report.is_whole
        assert line.seconds > 2


def test_an_answer_that_the_line_does_not_carry_in_time_is_said_and_is_no_success(
    built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        SlowLine(redis_server, 1_000_000) as line,
        closing(open_reader(built, cache__url=line.url(), cache__timeout_ms=1000)) as reader,
    ):
        _with_large_answers(reader, 3_000_000, monkeypatch)
        report = warm(reader, built.settings, ["overview"])
        assert (report.dashboards["overview"].kept, report.is_whole) == (0, False)
        assert "Redis did not store the answer: Timeout" in (report.dashboards["overview"].trouble or "")


def test_one_question_that_fails_takes_no_other_with_it(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, client: redis.Redis
) -> None:
    reader, settings = make_reader()
    request = Asked("overview", _organizations(built)[0], SEES)
    reader.ask(request, ["nurse"])
    reader.answers.counters.send()
    client.delete(cache_key(reader.question(request)).entry)
    built.execute(f"delete from insights.dim_organizations where organization_id = '{request.organization}'")  # noqa: S608 - an id of the sample
    report = warm(reader, settings, ["overview"]).dashboards["overview"]
    assert (report.failed, report.found) == (1, len(_organizations(built)) - 1)
    assert "There is no organization" in (report.trouble or "")


def test_without_a_redis_there_is_nothing_to_warm(
    built: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    with closing(Reader.open(load_settings())) as reader, pytest.raises(InsightsError, match="INSIGHTS_REDIS_URL"):
        warm(reader, load_settings())
    monkeypatch.setenv("INSIGHTS_REDIS_URL", f"unix://{tmp_path}/nobody")
    with closing(Reader.open(load_settings())) as reader, pytest.raises(InsightsError, match="does not respond"):
        warm(reader, load_settings())


def test_a_warm_up_that_is_killed_leaves_only_whole_entries_and_the_next_one_finishes(
    make_reader: Callable[..., tuple[Reader, Settings]], built: Warehouse, client: redis.Redis
) -> None:
    reader, settings = make_reader()
    command = [sys.executable, "-c", PATIENT_WARM, "warm"]
    warm(reader, settings, ["task_volume"])
    # Behind a lock on one report the warm-up gets stuck in the middle of its questions, and is killed there.
    stuck = "select count(*) from pg_locks where not granted and relation = 'insights.report_sla_breaches'::regclass"
    with connect(built.admin_url) as holder:
        holder.execute("lock table insights.report_sla_breaches in access exclusive mode")
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 300
        while not built.value(stuck) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert built.value(stuck) == 1
        process.kill()
        process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    number = len(_organizations(built))
    assert {name: _entries(client, name) for name in reader.dashboards} == dict.fromkeys(reader.dashboards, number)
    assert not list(client.scan_iter("*:lease:*"))
