"""Preview and chart every relation of the demo's marts in a running Apache Superset, as the read-only role.

Run `./dev demo` and Superset (docs/bi-tools.md), then `SUPERSET_PASSWORD=... python docs/images/superset_trial.py
URL`. The script needs the development tools (`./dev setup --dev`). It prints the table of docs/bi-tools.md, and
leaves a chart of each relation in Superset. A second argument is the URL of another login of the demo's database.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from psycopg import Connection, sql

from orchestration.config.files import load_settings
from orchestration.warehouse.connection import connect
from workshop.demo import prepare_demo
from workshop.services import LocalPostgres

MONTH, BAR = "P1M", "echarts_timeseries_bar"
LOADED = "loaded_at"  # the same in nearly all rows, so the last choice for a chart
SELECTABLE = """
select relname from pg_class
where relnamespace = %s::regnamespace and relkind in ('r', 'p', 'v', 'm') and has_any_column_privilege(oid, 'select')
"""


class Superset:
    """A session of a person who is logged in to Superset."""

    def __init__(self, url: str, password: str) -> None:
        """Log in as `admin` through the form, as a browser does. Raises ValueError, as all methods do."""
        self._client = httpx.Client(base_url=url, follow_redirects=True, timeout=120, headers={"Referer": url})
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self._client.get("/login/").text)
        data = {"username": "admin", "password": password, "csrf_token": token[1] if token else ""}
        self._client.post("/login/", data=data)
        self._client.headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]

    def get(self, path: str, **asked: object) -> dict[str, Any]:
        """Return the answer to a GET; `asked` goes into the parameter `q`."""
        return _answer(self._client.get(path, params={"q": json.dumps(asked)} if asked else None))

    def post(self, path: str, body: object, **parameters: str | int) -> dict[str, Any]:
        """Return the answer to a POST."""
        return _answer(self._client.post(path, json=body, params=parameters))


def _answer(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise ValueError(f"{response.status_code} {response.text[:200].strip()}")
    answer: dict[str, Any] = response.json()
    return answer


@dataclass(frozen=True)
class Column:
    """The column that a chart groups by, in months if it holds dates."""

    name: str
    is_date: bool

    @property
    def in_superset(self) -> object:
        """The column in the form of a query of Superset."""
        axis = {"columnType": "BASE_AXIS", "expressionType": "SQL", "sqlExpression": self.name, "timeGrain": MONTH}
        return axis | {"label": self.name} if self.is_date else self.name

    @property
    def in_sql(self) -> sql.Composable:
        """The column in SQL, with the values that Superset answers: milliseconds for a month."""
        text = "extract(epoch from date_trunc('month', {}))::bigint * 1000" if self.is_date else "{}"
        return sql.SQL(text).format(sql.Identifier(self.name))


def rows_of_table(superset: Superset, reader_url: str, schema: str) -> Iterator[str]:
    """Yield a row of the table for each relation of the schema that Superset offers or the role may select."""
    uri = reader_url.replace("postgresql://", "postgresql+psycopg2://")
    settings = {"database_name": f"Orgo Insights {uri}"[:250], "sqlalchemy_uri": uri, "expose_in_sqllab": True}
    database = superset.post("/api/v1/database/", settings)["id"]
    listed = superset.get(f"/api/v1/database/{database}/tables/", schema_name=schema)["result"]
    with connect(reader_url, autocommit=True) as connection:
        selectable = {name for (name,) in connection.execute(SELECTABLE, [schema])}
        for relation in sorted({table["value"] for table in listed} | selectable):
            where = {"database": database, "schema": schema, "table_name": relation}
            try:
                dataset = superset.get(f"/api/v1/dataset/{superset.post('/api/v1/dataset/', where)['id']}")["result"]
                cells = cells_of(superset, dataset, connection)
            except ValueError as error:
                cells = [*["-"] * 5, str(error)]
            yield f"| {' | '.join((f'`{relation}`', *map(str, cells)))} |"


def cells_of(superset: Superset, dataset: dict[str, Any], connection: Connection[Any]) -> list[object]:
    """Preview a dataset, save a chart of it, ask for its rows, and count the same by SQL; return the cells of a row."""
    source = {"datasource_type": "table", "datasource_id": dataset["id"]}
    preview = superset.post("/datasource/samples", {}, per_page=100, **source)["result"]
    by = column_of(dataset)
    chart = {row[by.name]: row["count"] for row in charted(superset, dataset, by)}
    relation = sql.Identifier(dataset["schema"], dataset["table_name"])
    query = sql.SQL("select {}, count(*) from {} group by 1").format(by.in_sql, relation)
    is_equal = chart == dict(connection.execute(query).fetchall()) and sum(chart.values()) == preview["total_count"]
    return [
        len(dataset["columns"]),
        f"{len(preview['data'])} of {preview['total_count']:,}",
        f"`{by.name}`{', months' * by.is_date}",
        len(chart),
        f"{sum(chart.values()):,}",
        "equal" if is_equal else "different",
    ]


def column_of(dataset: dict[str, Any]) -> Column:
    """Return the first date or time that Superset recognizes, else the first text."""
    dates = [column["column_name"] for column in dataset["columns"] if column["is_dttm"]]
    texts = [column["column_name"] for column in dataset["columns"] if column["type"] == "TEXT"]
    dated = [Column(name, is_date=True) for name in dates if name != LOADED]
    return [*dated, *(Column(name, is_date=False) for name in texts)][0]


def charted(superset: Superset, dataset: dict[str, Any], by: Column) -> list[dict[str, Any]]:
    """Save a bar chart of the number of rows by a column, and return its rows."""
    source = {"id": dataset["id"], "type": "table"}
    query = {"columns": [by.in_superset], "metrics": ["count"], "row_limit": 50_000}
    form = {"viz_type": BAR, "datasource": f"{dataset['id']}__table", "x_axis": by.name, "time_grain_sqla": MONTH}
    context = {"datasource": source, "queries": [query], "form_data": form, "force": True, "result_type": "full"}
    chart = {"slice_name": dataset["table_name"], "viz_type": BAR, "datasource_id": dataset["id"]}
    chart |= {"datasource_type": "table", "params": json.dumps(form | {"metrics": ["count"], "groupby": []})}
    saved = superset.post("/api/v1/chart/", chart | {"query_context": json.dumps(context)})["id"]
    rows: list[dict[str, Any]] = superset.get(f"/api/v1/chart/{saved}/data/")["result"][0]["data"]
    return rows


def main(url: str, reader: str | None = None) -> None:
    """Print a row for each relation."""
    warehouse = load_settings().insights.warehouse
    demo = prepare_demo(load_settings(), None)
    reader = reader or LocalPostgres(demo.state).url(demo.database, warehouse.read_only_user)
    for row in rows_of_table(Superset(url, os.environ["SUPERSET_PASSWORD"]), reader, warehouse.schema_name):
        sys.stdout.write(f"{row}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
