"""Exports of all tasks and cases of an organization, against psql's COPY of the same masked query into a file."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

from benchmarks.errors import BenchmarkError
from benchmarks.measure import Comparison, Measurement, in_turn
from benchmarks.services import BUILT, Bench
from benchmarks.sizes import FIRST_DAY
from orchestration.config.files import Settings, load_settings
from orchestration.config.tokens import PerEnvironment
from orchestration.exports.definitions import load_definitions
from orchestration.exports.masking import key_blocks
from orchestration.exports.query import build_query, read_load, visible_as_rows
from orchestration.exports.relations import Scope
from orchestration.exports.request import Request
from orchestration.exports.run import run_export
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database
from workshop.services.binaries import postgres_programs

NAME = "exports"
EXPORTS = (("tasks", "csv"), ("tasks", "csv.gz"), ("cases", "csv"))
SINCE = FIRST_DAY - timedelta(days=700)
SESSION = "set search_path = pg_catalog; set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'iso_8601';"
MARTS = ("fact_tasks", "dim_tasks", "fact_cases", "dim_cases")
CLIENT = "select organization_id, user_id from insights_staging.stg_user_accounts where status = 'active' limit 1"


@dataclass(frozen=True)
class Case:
    """What both sides export; `rows` is the limit, since not every row may leave."""

    export: str
    file_format: str
    rows: int
    organization: UUID
    user: UUID

    @property
    def request(self) -> Request:
        """The request of `insights export`."""
        return Request(
            self.export, str(self.organization), SINCE, FIRST_DAY, self.file_format, str(self.user), self.export
        )


def run(bench: Bench) -> Iterator[Comparison]:
    """Yield a comparison for each export and format."""
    bench.copy(BUILT, NAME)
    with connect(bench.admin_url(NAME), autocommit=True) as connection:
        organization, user = connection.execute(CLIENT).fetchall()[0]
        for mart in MARTS:
            connection.execute(f"update insights.{mart} set organization_id = %s".encode(), [organization])  # noqa: S608 - names of this file
            connection.execute(f"vacuum full analyze insights.{mart}".encode())
        counts = {
            export: int(connection.execute(f"select count(*) from insights.fact_{export}".encode()).fetchall()[0][0])  # noqa: S608
            for export, _ in EXPORTS
        }
    for export, file_format in EXPORTS:
        case = Case(export, file_format, counts[export], organization, user)
        compared = Comparison(NAME, f"{export}, {file_format}", bench.size, "psql COPY", is_same=True)
        work, floor = partial(_exported, bench, case), partial(_copied, bench, case)
        contents: list[str] = []
        yield in_turn(compared, bench.size.repeats, partial(work, contents), partial(floor, contents))
        if len(set(contents)) != 1:
            raise BenchmarkError(f"{NAME}, {compared.title}: the files of both sides have different contents.")
    bench.drop(NAME)


def unlimited(rows: int) -> Settings:
    """Return the shipped settings with the row limit of exports set to `rows`."""
    settings = load_settings()
    limit = PerEnvironment.model_validate(rows)
    exports = settings.insights.exports.model_copy(update={"max_rows_per_export": limit})
    same = {name: getattr(settings, name) for name in ("environment", "profiles", "dags", "places", "version")}
    return Settings(**same, insights=settings.insights.model_copy(update={"exports": exports}))


def _exported(bench: Bench, case: Case, contents: list[str]) -> Measurement:
    """Export in a process of its own, whose peak memory is that of the export."""
    os.environ["INSIGHTS_WAREHOUSE_URL"] = bench.etl_url(NAME)
    with bench.measured(NAME) as found:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            path, rows, memory = pool.submit(export_once, case).result()
        found.rows = rows
    found.figures = {"MiB written": path.stat().st_size / 2**20, "peak memory MiB": memory}
    contents.append(_content(path))
    for file in path.parent.glob(f"{path.name}*"):  # with its manifest
        file.unlink()
    return found


def export_once(case: Case) -> tuple[Path, int, float]:
    """Run a whole export in this process; returns the file, its rows, and the peak memory in MiB."""
    settings = unlimited(case.rows)
    exported = run_export(settings, load_definitions(settings), case.request)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return Path(exported.location), exported.rows, int(peak[1]) / 1024 if peak else 0.0


def _copied(bench: Bench, case: Case, contents: list[str]) -> Measurement:
    """Run the COPY of the export by psql into a file, for csv.gz through a parallel gzip -1, and wait for the disk."""
    script = f"{SESSION}\n{_statement(bench, case)};"
    path = bench.folder / "copied"
    command = [str(postgres_programs() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", bench.etl_url(NAME)]
    with bench.measured(NAME) as found, path.open("wb") as file:
        packer = None
        if case.file_format == "csv.gz":
            packer = subprocess.Popen(["gzip", "-1"], stdin=subprocess.PIPE, stdout=file)
        target = packer.stdin if packer else file
        subprocess.run(command, input=script.encode(), stdout=target, check=True)
        if packer and packer.stdin:
            packer.stdin.close()
            packer.wait()
        os.fsync(file.fileno())
    found.figures = {"MiB written": path.stat().st_size / 2**20}
    contents.append(_content(path))
    found.rows = int(contents[-1].split()[0]) - 1  # without the header
    path.unlink()
    return found


def _statement(bench: Bench, case: Case) -> str:
    """Return the statements that create the table of the masking key and run the COPY of an export."""
    settings = unlimited(case.rows)
    definition = load_definitions(settings)[case.export]
    with connect(bench.etl_url(NAME)) as connection:
        load = read_load(Database(settings, connection), definition)
        scope = Scope(case.organization, SINCE, FIRST_DAY, visible_as_rows(settings), load, datetime.now(UTC))
        copy = build_query(settings, definition, scope, is_masked=True).copy_statement(case.file_format)
        blocks = key_blocks(settings.export_key, case.organization)
        names = ("inner_block", "outer_block", "proof")
        key = ", ".join(f"'\\x{block.hex()}'::bytea as {name}" for name, block in zip(names, blocks, strict=True))
        return f"create temporary table export_key as select {key};{copy.as_string(connection)}"


def _content(path: Path) -> str:
    """Return the number of lines of a file and a hash of them, in whatever order they are."""
    total, lines = 0, 0
    data = path.read_bytes()
    text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    for line in text.splitlines():
        total = (total + int.from_bytes(hashlib.blake2b(line, digest_size=16).digest(), "big")) % 2**128
        lines += 1
    return f"{lines} {total}"
