"""What tests of publications share: a copy of a published file with its database, and what is changed there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import pytest
from support import saved_parse
from support.engines.laptop import Laptop
from support.engines.published import Served
from support.warehouse import Warehouse, disposable_copy

from orchestration import dbt
from orchestration.errors import InsightsError
from orchestration.publishing.definitions import parsed_path
from orchestration.publishing.publish import PublishReport, publish
from orchestration.source_snapshot.description import FILE
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


def replace_snapshot(served: Served, folder: Path, copy: Path, *, is_known: bool = True) -> None:
    """Copy a snapshot as if it were taken an hour later.

    If it is known, the file was loaded from it, else from what was in the same folder before.
    """
    shutil.copytree(folder, copy)
    described = json.loads((copy / FILE).read_text("utf-8"))
    later = datetime.fromisoformat(described["moment"]) + timedelta(hours=1)
    (copy / FILE).write_text(json.dumps(described | {"moment": later.isoformat()}), "utf-8")
    with duckdb.connect(str(served.laptop.file)) as file:
        file.execute("update insights_ops.snapshots set folder = ?", [str(copy)])
        if is_known:
            file.execute("update insights_ops.snapshots set moment = cast(? as timestamptz)", [later.isoformat()])


def refusal_of(served: Served, database: Warehouse, kind: type[InsightsError]) -> str:
    """Publish, which must raise an error of this kind; returns its message."""
    with pytest.raises(kind) as caught:
        publish(served.settings_of(database))
    return str(caught.value)


@contextmanager
def publishing(served: Served) -> Iterator[BaseProcess]:
    """Publish in a process of its own, which is a copy of this one, during a block; it is killed at the end."""
    process = get_context("fork").Process(target=served.publish, daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def publishing_variables(served: Served) -> dict[str, str]:
    """Return the variables of a process of `insights publish`; its dbt finds the project parsed."""
    settings, url = served.settings.of_postgres(), served.database.etl_url
    environment = dbt.process_environment(settings, url) | {"DBT_TARGET_PATH": str(parsed_path())}
    saved_parse.save(environment, *dbt.complete(settings, [], {}))
    return {"INSIGHTS_SERVING_URL": url, "DBT_TARGET_PATH": os.environ["DBT_TARGET_PATH"]}
