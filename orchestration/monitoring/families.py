"""The figures that a query of the bookkeeping answers, each with its metric (specification, section 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from psycopg import sql

from orchestration.warehouse.database import Database
from orchestration.warehouse.deliveries import STATUSES


@dataclass(frozen=True)
class Family:
    """A metric: its name, what it is, its labels, and a query of these and the value.

    Names in braces in the query are tables of the bookkeeping. `sets` are values of the only label that are there with
    0 too, because an alert on an increase needs a value before it. A serving database has no family that `is_of_loads`.
    """

    name: str
    about: str
    labels: tuple[str, ...]
    query: str
    is_counter: bool = False
    sets: tuple[str, ...] = ()
    is_of_loads: bool = False

    def read(self, db: Database) -> Metric:
        """Return the metric with its values now; raises InsightsError like any query."""
        names = {name for _, name, _, _ in Formatter().parse(self.query) if name}
        query = sql.SQL(self.query).format(**{name: db.ops(name) for name in names})
        rows = db.rows(query)
        zeros = [(value, 0) for value in self.sets if value not in {row[0] for row in rows}]
        return metric(self.name, self.about, self.labels, [*rows, *zeros], is_counter=self.is_counter)


def metric(
    name: str, about: str, labels: Sequence[str], rows: Iterable[Sequence[Any]], *, is_counter: bool = False
) -> Metric:
    """Return a metric with its rows, each the values of the labels and the figure.

    Prometheus' format ends the name of a counter with `_total`.
    """
    made = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, about, labels=labels)
    for *words, value in rows:
        made.add_metric([str(word) for word in words], float(value))
    return made


FAMILIES = (
    Family(
        "insights_source_rows",
        "Rows of an operational table when the last load began.",
        ("table",),
        "select table_name, row_count from {source_counts}",
        is_of_loads=True,
    ),
    Family(
        "insights_rows_rejected",
        "Operational rows that are not in their relation, by finding (insights_ops.rejects).",
        ("relation", "finding"),
        "select relation_name, finding, sum(row_count) from {data_quality} where not is_loaded group by 1, 2",
        is_of_loads=True,
    ),
    Family(
        "insights_rows_flagged",
        "Operational rows that were loaded although they are wrong, by finding (insights_ops.data_quality).",
        ("relation", "finding"),
        "select relation_name, finding, sum(row_count) from {data_quality} where is_loaded group by 1, 2",
        is_of_loads=True,
    ),
    Family(
        "insights_source_drift",
        "1 for each column in which the operational database differs from its contract (insights_ops.source_drift).",
        ("table", "column", "drift"),
        "select table_name, column_name, drift, 1 from {source_drift}",
        is_of_loads=True,
    ),
    Family(
        "insights_data_tests",
        "Data tests by their newest result (insights_ops.test_results).",
        ("status",),
        "select status, count(*) from {test_results} group by 1",
        sets=("pass", "warn", "fail", "error"),
        is_of_loads=True,
    ),
    Family(
        "insights_review_cases",
        "Review cases by what became of them (insights_ops.review_deliveries); those never tried are pending.",
        ("status",),
        "select coalesce(d.status, 'pending'), count(*) from {review_requests} as r"
        " left join {review_deliveries} as d on r.case_id = d.case_id group by 1",
        sets=STATUSES,
        is_of_loads=True,
    ),
    Family(
        "insights_exports",
        "Events of exports (insights_ops.export_audit); an aborted export has started and has no other event.",
        ("event",),
        "select event, count(*) from {export_audit} group by 1",
        is_counter=True,
        sets=("started", "finished", "failed", "refused"),
    ),
    Family(
        "insights_purge_cutoff_timestamp_seconds",
        "The day before which rows were purged, in seconds since 1970 UTC.",
        ("retention_class",),
        "select retention_class, extract(epoch from max(cutoff)) from {purge_log} group by 1",
        is_of_loads=True,
    ),
    Family(
        "insights_writer_lock_held_seconds",
        "How long the writer lock has been held; 0 if it is free.",
        (),
        "select coalesce(max(extract(epoch from now() - c.claimed_at)), 0) from {claims} as c"
        " where c.claim_name = 'writer' and {is_held}(c)",
    ),
    Family(
        "analytics_db_connections",
        "Connections of clients to the server of the warehouse.",
        (),
        "select count(*) from pg_stat_activity where backend_type = 'client backend'",
    ),
    Family(
        "analytics_db_connections_limit",
        "The greatest number of connections that the server of the warehouse accepts.",
        (),
        "select current_setting('max_connections')::integer",
    ),
    Family(
        "analytics_db_size_bytes",
        "Size of the database of the warehouse.",
        (),
        "select pg_database_size(current_database())",
    ),
)
