"""Gathers all metrics of the exporter at each scrape; what cannot be read now is left out and counted."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.metadata import version

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from psycopg import sql

from orchestration.cache.store import CacheUnavailableError, Store
from orchestration.config.files import Settings
from orchestration.digests.ledger import newest_by_status
from orchestration.errors import InsightsError
from orchestration.monitoring.backup_figures import backups
from orchestration.monitoring.delays import delays
from orchestration.monitoring.families import FAMILIES, metric
from orchestration.monitoring.mart_times import MART, mart_times, publications
from orchestration.monitoring.outcomes import Outcome, outcomes
from orchestration.monitoring.processor import server_seconds
from orchestration.warehouse.database import Database
from orchestration.warehouse.publications import is_serving
from orchestration.warehouse.source.silence import HOUR, silences
from orchestration.warehouse.status import mart_ages

LOG = logging.getLogger(__name__)
DAG = ("dag_id",)
Group = Callable[[Database], list[Metric]]


class Metrics(Collector):
    """The figures of one warehouse and its cache. `marts` has the key of the scheduled DAG that builds a mart, by name.

    Each scrape has a session of its own, read-only, whose statements end after `metrics.timeout_ms`.
    """

    def __init__(self, settings: Settings, marts: Mapping[str, str]) -> None:
        """Read nothing yet."""
        self._settings, self._marts = settings, marts

    def collect(self) -> Iterator[Metric]:
        """Yield each metric that can be read; `insights_scrape_errors` is how many groups of them cannot."""
        labels = {"version": version("orgo-insights"), "environment": self._settings.environment}
        yield metric("insights_build_info", "1, with the release and INSIGHTS_ENV.", [*labels], [(*labels.values(), 1)])
        errors, is_up = 0, False
        try:
            with self._session() as db:
                is_up = True
                for group in self._groups(db):
                    try:
                        yield from group(db)
                    except InsightsError as error:
                        LOG.warning("Metrics are missing: %s", error)
                        errors += 1
        except InsightsError as error:
            LOG.warning("The warehouse does not answer: %s", error)
        yield metric("insights_warehouse_up", "Whether the warehouse answers.", (), [(is_up,)])
        yield metric("insights_scrape_errors", "Groups of metrics that could not be read now.", (), [(errors,)])
        yield from self._cache()

    def _groups(self, db: Database) -> list[Group]:
        """Return what is read: of a serving database, publications instead of loads, the source and backups (D281)."""
        everywhere: list[Group] = [_processor, _digests]
        if is_serving(db):
            families = (family for family in FAMILIES if not family.is_of_loads)
            return [*everywhere, publications, *(_alone(family.read) for family in families)]
        of_loads: list[Group] = [self._ages, self._dags, _source, backups]
        return [*everywhere, *of_loads, *(_alone(family.read) for family in FAMILIES)]

    @contextmanager
    def _session(self) -> Iterator[Database]:
        with Database.open(self._settings) as db:
            db.execute("set default_transaction_read_only to on")
            db.execute(f"set statement_timeout to {self._settings.insights.metrics.timeout_ms}")
            yield db

    def _ages(self, db: Database) -> list[Metric]:
        """Return how old each mart is."""
        ages = [age for age in mart_ages(db, self._marts) if age.loaded_at]
        late = [(age.name, bool(age.is_late)) for age in ages]
        return [
            *mart_times((age.name, age.data_up_to, age.loaded_at) for age in ages),
            metric("insights_mart_is_late", "Whether the load is later than etl.late_after_minutes.", MART, late),
        ]

    def _dags(self, db: Database) -> list[Metric]:
        """Return what is known of each DAG of the inventory, 0 for one that never ran."""
        ended = {dag.id: Outcome() for dag in self._settings.dags.values()} | outcomes(db)
        by_key: dict[str, Collection[str]] = {
            key: [mart for mart, dag in self._marts.items() if dag == key] for key in self._settings.dags
        }
        failures = [(dag, outcome.failures) for dag, outcome in ended.items()]
        late = [(dag, minutes) for dag, minutes in delays(db, by_key, ended).items()]
        undelivered = [(dag, outcome.undelivered) for dag, outcome in ended.items()]
        is_failing = [(dag, outcome.is_failing) for dag, outcome in ended.items()]
        steps = [(dag, step, s) for dag, outcome in ended.items() for step, s in outcome.step_seconds.items()]
        return [
            metric("insights_etl_dag_failures", "Runs that failed.", DAG, failures, is_counter=True),
            metric(
                "insights_etl_dag_delay_minutes", "Minutes since the oldest run that is due and not done.", DAG, late
            ),
            metric("insights_etl_dag_is_failing", "Whether the latest run failed.", DAG, is_failing),
            metric("insights_etl_step_seconds", "Duration of a step in the latest run.", (*DAG, "step"), steps),
            metric("insights_alerts_undelivered", "Messages that reached nobody.", DAG, undelivered, is_counter=True),
        ]

    def _cache(self) -> Iterator[Metric]:
        url, rules = self._settings.redis_url, self._settings.insights.cache
        if not url:
            return
        counters = None
        with closing(Store(url, rules.timeout_ms / 1000, rules.pause_seconds)) as store:
            try:
                counters = store.counters(self._settings.environment)
            except CacheUnavailableError as error:
                LOG.warning("The cache does not answer: %s", error)
        yield metric("insights_redis_up", "Whether the cache answers.", (), [(counters is not None,)])
        if counters is not None:
            about = "Answers of dashboards by outcome, and what happened to entries of the cache."
            values = [(*name.rsplit(":", 1), number) for name, number in counters.items() if ":" in name]
            yield metric("insights_cache_requests", about, ("dashboard", "outcome"), values, is_counter=True)


def _digests(db: Database) -> list[Metric]:
    """Return what became of the newest digest of each recipient that gets digests now."""
    about = "Newest digests of the recipients that get them now, by what became of them."
    return [metric("insights_digests", about, ("status",), [*newest_by_status(db).items()])]


def _source(db: Database) -> list[Metric]:
    """Return when Orgo wrote its newest task event, which the index on `created_at` answers, and what loads saw.

    For how long a table had been silent is as of the last load: where loads have stopped, it does not grow (D255).
    """
    query = sql.SQL("select extract(epoch from max(created_at)) from {}").format(db.source("task_events"))
    newest, found = db.value(query), silences(db)
    about = "When Orgo wrote its newest task event, in seconds since 1970 UTC."
    silent = "For how long no row of the table had changed when the last load looked."
    limits = [
        *((one.table, "stale", one.stale_hours * HOUR) for one in found),
        *((one.table, "stopped", one.stopped_hours * HOUR) for one in found),
    ]
    return [
        metric("insights_source_newest_event_timestamp_seconds", about, (), [] if newest is None else [(newest,)]),
        metric("insights_source_silent_seconds", silent, ("table",), [(one.table, one.seconds) for one in found]),
        metric("insights_source_silent_limit_seconds", "What is too long.", ("table", "limit"), limits),
    ]


def _processor(db: Database) -> list[Metric]:
    """Return the processor seconds of the server, if it runs on this machine."""
    seconds = server_seconds(db.connection.info.backend_pid)
    if seconds is None:
        return []
    about = "Processor seconds of a server of the warehouse that runs on this machine."
    return [
        metric("analytics_db_cpu_seconds", about, (), [(seconds,)], is_counter=True),
        metric("analytics_db_cpus", "Processors of this machine.", (), [(os.cpu_count() or 1,)]),
    ]


def _alone(read: Callable[[Database], Metric]) -> Group:
    return lambda db: [read(db)]
