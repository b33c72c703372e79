"""What tests of publications share: a copy of a published file with its database, and what is changed there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import duckdb
import pytest
from support import saved_parse
from support.engines.laptop import Laptop
from support.engines.published import Served
from support.warehouse import Warehouse, disposable_copy

from orchestration import dbt
from orchestration.errors import InsightsError
from orchestration.publishing.publish import PublishReport, publish
from workshop.services import LocalPostgres

_numbers = count()


@pytest.fixture
def own(served: Served, postgres: LocalPostgres, tmp_path: Path) -> Iterator[Served]:
    """Yield copies of the file and of the database to which it was published, for one test."""
    shutil.copytree(served.laptop.place, tmp_path / "laptop")
    template, settings = served.database.name, served.database.settings
    with disposable_copy(template, f"serving_{next(_numbers)}", postgres, settings) as database:
        yield Served(Laptop(tmp_path / "laptop"), database)


def state_of(database: Warehouse) -> list[object]:
    """Return what a publication changes: the versions of rows, the logs, and what is known as published."""
    return [
        database.rows("select xmin::text, count(*) from insights.fact_tasks group by 1"),
        database.rows("select xmin::text, count(*) from insights.dim_roles group by 1"),
        database.rows("select log::text from insights_ops.load_log as log order by load_log_id"),
        database.rows("select * from insights_ops.publications order by publication_id"),
        database.rows("select * from insights_ops.published_relations order by relation_name"),
    ]


def copied_of(report: PublishReport) -> set[str]:
    """Return the relations that were copied."""
    return {one.name for one in report.relations if one.copied}


def change_file(served: Served, *statements: str) -> None:
    """Change the file as a load does: its rows, and the log of loads of the roles."""
    log = (
        "insert into insights_ops.load_log by name select * exclude (load_log_id, invocation_id, logged_at),"
        " invocation_id || 'x' as invocation_id from insights_ops.load_log where relation_name = 'dim_roles'"
    )
    with duckdb.connect(str(served.laptop.file)) as file:
        for statement in (*statements, log):
            file.execute(statement)


def refusal_of(served: Served, database: Warehouse, kind: type[InsightsError]) -> str:
    """Publish, which must raise an error of this kind; returns its message."""
    with pytest.raises(kind) as caught:
        publish(served.settings_of(database))
    return str(caught.value)


def publishing_variables(served: Served) -> dict[str, str]:
    """Return the variables of a process of `insights publish`; its dbt finds the project parsed."""
    settings, url = served.settings.of_postgres(), served.database.etl_url
    saved_parse.save(dbt.process_environment(settings, url), *dbt.complete(settings, [], {}))
    return {"INSIGHTS_SERVING_URL": url, "DBT_TARGET_PATH": os.environ["DBT_TARGET_PATH"]}
