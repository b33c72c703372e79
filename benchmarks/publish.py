"""The first publication of a file of DuckDB, compared with psql's COPY of the same bytes into bare tables."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks import engines
from benchmarks.measure import Comparison, Measurement, once
from benchmarks.services import Bench
from orchestration.config.files import Settings
from orchestration.manifest import read_manifest
from orchestration.publishing.definitions import Definition, declared_relations, read_definitions
from orchestration.publishing.publish import publish
from orchestration.publishing.source import Source
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services.binaries import postgres_programs

NAME, FLOOR = "publish", "publish_floor"  # also databases
MIB = 2**20


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield a comparison of the first publication; what the next one of the same load takes is among its figures."""
    settings = _serving(engines.built_file(bench), bench)
    for name in (NAME, FLOOR):
        bench.drop(name)
        bench.server.create_database(name)
        with connect(bench.admin_url(name)) as connection:
            initialize(connection, settings)
    names = declared_relations(read_manifest(settings.of_postgres()))
    definitions = read_definitions(settings, bench.etl_url(NAME), names)
    folder = bench.folder / NAME
    folder.mkdir()
    with Source.open(settings) as source:
        for definition in definitions:
            (folder / definition.name).write_bytes(b"".join(text for text, _ in source.rows(definition)))
    compared = Comparison(NAME, "first publication", bench.size, "psql COPY of the same bytes", is_same=True)
    yield once(compared, partial(_published, bench, settings), partial(_copied, bench, definitions, folder))
    bench.drop(NAME)
    bench.drop(FLOOR)


def _serving(settings: Settings, bench: Bench) -> Settings:
    warehouse = settings.insights.warehouse.model_copy(update={"serving_url": bench.etl_url(NAME)})
    return replace(settings, insights=settings.insights.model_copy(update={"warehouse": warehouse}))


def _published(bench: Bench, settings: Settings) -> Measurement:
    """Publish in a process of its own, whose peak memory is that of the copy; dbt has another one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with bench.measured(NAME) as found:
            found.rows, memory = pool.submit(publish_once, settings).result()
        started = time.perf_counter()
        pool.submit(publish_once, settings).result()
        found.figures = {"peak memory MiB": memory, "again s": time.perf_counter() - started}
    return found


def publish_once(settings: Settings) -> tuple[int, float]:
    """Publish in this process; returns the rows that were written, and the peak memory in MiB."""
    rows = sum(relation.written for relation in publish(settings).relations)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return rows, int(peak[1]) / 1024 if peak else 0.0


def _copied(bench: Bench, definitions: list[Definition], folder: Path) -> Measurement:
    """Copy the texts of all relations into tables without indexes, in one transaction of psql."""
    script = ["begin;"]
    for definition in definitions:
        table, columns = definition.relation.as_string(), definition.column_names.as_string()
        script += [
            f"{definition.create};",
            f"\\copy {table} ({columns}) from '{folder / definition.name}' (format csv)",
        ]
    program = str(postgres_programs() / "psql")
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", bench.etl_url(FLOOR)]
    with bench.measured(FLOOR) as found:
        subprocess.run(command, input="\n".join([*script, "commit;"]).encode(), check=True)
    with connect(bench.admin_url(FLOOR)) as connection:
        counts = (f"select count(*) from {one.relation.as_string()}" for one in definitions)  # noqa: S608 - quoted
        found.rows = sum(connection.execute(count.encode()).fetchall()[0][0] for count in counts)
    found.figures = {"MiB copied": sum(file.stat().st_size for file in folder.iterdir()) / MIB}
    return found
