"""`insights metrics serve` on the built sample, scraped by a real Prometheus with the shipped rules and dashboard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from support.api.server import Api, free_port
from support.dashboards.dashboard_scenario import HOSPITAL
from support.monitoring.prometheus import RULES, prometheus, wait_for
from support.warehouse import Warehouse

from orchestration.cache.counters import Counters
from orchestration.cache.keys import Group
from orchestration.cache.store import Store
from orchestration.config.files import CONFIG_FILE, PROJECT, load_settings
from orchestration.config.tokens import WATCHED
from orchestration.monitoring.outcomes import Ended, record
from orchestration.warehouse.database import Database
from workshop.services import LocalRedis

pytest_plugins = ["support.api.fixtures"]
pytestmark = pytest.mark.services

INSIGHTS = Path(sys.executable).with_name("insights")
DASHBOARD = PROJECT / "deploy/grafana/orgo-insights.json"
DAILY, WARM_UP = "insights_daily_events_load", "insights_cache_warmup_dashboards"
Samples = dict[tuple[str, ...], float]


def scrape(port: int) -> dict[str, Samples]:
    """Return the values of each metric by those of its labels, in the order of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


@pytest.fixture(scope="module")
def environment(sample: Warehouse, redis_of_module: LocalRedis) -> dict[str, str]:
    return os.environ | {
        "INSIGHTS_ENV": "prod",
        "INSIGHTS_WAREHOUSE_URL": sample.etl_url,
        "INSIGHTS_REDIS_URL": redis_of_module.url(),
    }


@pytest.fixture(scope="module", autouse=True)
def done(sample: Warehouse, redis_of_module: LocalRedis) -> None:
    """Do what a load, a purge and a service of prod do before the first scrape; the sample was built without them."""
    sample.execute(
        "insert into insights_ops.source_counts (table_name, row_count, counted_at, newest_at) values"
        " ('tasks', 4321, '2026-01-04 02:00+00', '2026-01-01 02:00+00'),"  # the load looked after three days
        " ('task_events', 5, '2026-01-04 02:00+00', '2026-01-04 02:30+00'),"  # a clock that is ahead
        " ('task_comments', 0, '2026-01-04 02:00+00', null), ('roles', 7, '2026-01-04 02:00+00', null);"
        "insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)"
        " values ('fact_tasks', 'raw_event', '2026-01-01', '2024-01-02', 'prod');"
        "insert into insights_ops.digest_deliveries (digest_id, recipient, organization_id, cadence, review_date,"
        " channel, status, attempts, last_answer) select gen_random_uuid(), v.*, 1, ''"
        " from (select cast(now() at time zone 'UTC' as date) - 5 as week) as w cross join lateral (values"
        " ('a', uuid '00000000-0000-4000-8000-00000000000a', 'weekly', week - 7, 'mail', 'failed'),"
        " ('a', uuid '00000000-0000-4000-8000-00000000000a', 'weekly', week, 'mail', 'sent'),"
        " ('a', uuid '00000000-0000-4000-8000-00000000000a', 'monthly', week, 'mail', 'failed'),"
        " ('removed', uuid '00000000-0000-4000-8000-00000000000a', 'weekly', week, 'mail', 'failed'),"
        " ('old', uuid '00000000-0000-4000-8000-00000000000a', 'weekly', week - 7, 'mail', 'failed')) as v;"
        "insert into insights_ops.backup_runs (kind, environment, started_at, label)"
        " values ('full', 'prod', now(), 'a');"
        "insert into insights_ops.backup_drills"
        " (environment, started_at, rto_seconds, step_seconds, relations_compared)"
        " values ('prod', now(), 61.5, '{}', 3)"
    )
    with closing(Store(redis_of_module.url(), 60, 1)) as store:
        counters = Counters(store)
        counters.count(Group("prod", "overview"), "hits")
        counters.send()


@pytest.fixture(scope="module")
def port(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a running exporter."""
    port = free_port()
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    # The host is no address of this machine, but --host is.
    document["insights"]["metrics"] |= {"host": "192.0.2.1", "port": port, "timeout_ms": 60_000}
    one = {"organization": "a", "roles": ["m"], "scope": "user", "mail": "a@example.org"}
    document["insights"]["digests"]["recipients"] = [one | {"name": name} for name in ("a", "old")]
    file = tmp_path_factory.mktemp("exporter") / "config.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    command = [str(INSIGHTS), "--config", str(file), "metrics", "serve", "--host", "127.0.0.1"]
    with subprocess.Popen(command, env=environment) as process:
        wait_for(lambda: process.poll() is not None or answers(port))
        yield port
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def answers(port: int) -> bool:
    try:
        return bool(scrape(port))
    except (urllib.error.URLError, ConnectionError):
        return False


def test_figures_are_those_of_the_tables(port: int, sample: Warehouse) -> None:
    found = scrape(port)
    ((info, value),) = found["insights_build_info"].items()
    assert (set(info), value) == ({"3.0.0", "prod"}, 1)
    assert found["insights_warehouse_up"] == found["insights_redis_up"] == {(): 1}
    assert found["insights_scrape_errors"] == {(): 0}
    newest = sample.value("select max(created_at) from task_events")
    assert found["insights_source_newest_event_timestamp_seconds"] == {(): pytest.approx(newest.timestamp())}
    assert found["insights_source_silent_seconds"] == {("tasks",): 3 * 86400, ("task_events",): 0}
    limits = {
        (limit, table): hours * 3600 for limit, hours in (("stale", 72), ("stopped", 168)) for table in WATCHED[:2]
    }
    assert found["insights_source_silent_limit_seconds"] == limits
    assert found["insights_source_rows"][("tasks",)] == 4321
    rejected = sample.rows(
        "select relation_name, finding, sum(row_count) from insights_ops.data_quality where not is_loaded group by 1, 2"
    )
    assert found["insights_rows_rejected"] == {(finding, name): n for name, finding, n in rejected}
    assert rejected
    tests = dict(sample.rows("select status, count(*) from insights_ops.test_results group by 1"))
    assert found["insights_data_tests"] == {(s,): tests.get(s, 0) for s in ("pass", "warn", "fail", "error")}
    asked = sample.value("select count(*) from insights_ops.review_requests")
    assert found["insights_purge_cutoff_timestamp_seconds"] == {("raw_event",): 1704153600}
    assert found["insights_cache_requests_total"] == {("overview", "hits"): 1}
    assert found["insights_review_cases"] == {("pending",): asked, ("failed",): 0, ("sent",): 0}
    # The failed one of the week before no longer counts, nor one that is too old or whose recipient was removed.
    assert found["insights_digests"] == {("pending",): 0, ("failed",): 1, ("sent",): 1}
    day = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert found["insights_mart_data_up_to_timestamp_seconds"][("fact_tasks",)] == day
    assert found["insights_mart_is_late"][("fact_tasks",)] == 1
    assert found["insights_backup_is_late"] == {("full",): 0, ("incremental",): 1}  # no dump was ever made
    assert found["insights_backup_drill_rto_seconds"] == {(): 61.5}
    ended = found["insights_backup_timestamp_seconds"][("full",)]
    lost = found["insights_backup_unarchived_seconds"][()]
    assert lost == pytest.approx(datetime.now(UTC).timestamp() - ended, abs=60)  # archiving is off
    assert found["analytics_db_connections"][()] >= 1
    assert found["analytics_db_cpu_seconds_total"][()] > 0


def test_each_metric_is_described(port: int) -> None:
    page = (PROJECT / "docs/monitoring.md").read_text("utf-8")
    assert [name for name in scrape(port) if name not in page] == []


def test_every_dag_has_no_failure_from_the_start(port: int) -> None:
    ids = {dag.id for dag in load_settings().dags.values()}
    assert len(ids) == 6
    assert scrape(port)["insights_etl_dag_failures_total"] == {(dag,): 0 for dag in ids}
    late = scrape(port)["insights_etl_dag_delay_minutes"]
    assert set(late) == {(dag,) for dag in ids}
    # The sample ends on 2026-01-01; the load of the next day at 02:00 is the oldest that is missing.
    due = datetime(2026, 1, 2, 2, tzinfo=UTC)
    assert late[(DAILY,)] == pytest.approx((datetime.now(UTC) - due).total_seconds() / 60, abs=2)


def test_it_answers_while_the_warehouse_and_the_cache_do_not(environment: dict[str, str]) -> None:
    gone = {"INSIGHTS_WAREHOUSE_URL": "postgresql://etl@127.0.0.1:1/x", "INSIGHTS_REDIS_URL": "redis://127.0.0.1:1/0"}
    shown = subprocess.run(
        [INSIGHTS, "metrics", "show"], env=environment | gone, capture_output=True, text=True, check=True
    )
    assert "insights_warehouse_up 0.0" in shown.stdout
    assert "insights_redis_up 0.0" in shown.stdout
    assert "Cannot connect to PostgreSQL" in shown.stderr


def test_prometheus_answers_each_panel_and_fires_for_real_faults(
    port: int, api: Api, sample: Warehouse, tmp_path: Path
) -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    asked = {target["expr"] for panel in panels for target in panel["targets"]}
    rules = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    with (
        Database.open(sample.settings, sample.etl_url) as db,
        prometheus(tmp_path, exporter=port, api=api.port) as found,
    ):
        now = db.value("select now()")
        record(db, Ended(WARM_UP, "a", now, now, None, {"warm": 3.5}))
        wait_for(lambda: found.ask("insights_etl_dag_failures_total"))
        record(db, Ended(DAILY, "a", now, now, "broken"))  # as a DAG does when a run of it has failed
        missing = asked | recorded

        def all_are_answered() -> bool:
            api.ask(HOSPITAL, "overview")
            missing.difference_update([expression for expression in missing if found.ask(expression)])
            return not missing

        try:
            wait_for(all_are_answered)
        except AssertionError:
            pytest.fail(f"no figure for {sorted(missing)}")
        wait_for(lambda: {"InsightsEtlFailure", "InsightsEtlDelay"} <= found.firing())
        assert not found.firing() & {"InsightsWarehouseDown", "InsightsExporterMissing", "InsightsMetricsIncomplete"}
