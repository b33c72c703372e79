"""Stops a load of a file of DuckDB whose snapshot has lost rows since the last one (decision D142)."""

from __future__ import annotations

from orchestration.config.files import Settings
from orchestration.errors import RefusedError
from orchestration.source_snapshot.description import read_description
from orchestration.warehouse.duckdb.file import opened, quoted
from orchestration.warehouse.names import Names
from orchestration.warehouse.source.guard import Confirmed, vanished


def check_snapshot_rows(settings: Settings, confirmed: Confirmed) -> None:
    """Compare the rows of the snapshot with those at the last load of the file, then store their numbers.

    The retention cutoff is not checked: a file can be built again from its snapshot. Raises RefusedError, and stores
    nothing, if too many rows have vanished, unless that is confirmed; also raises like `read_description` and `opened`.
    """
    description = read_description(settings.snapshot_directory)
    totals = {name: table.rows for name, table in description.tables.items()}
    counts = quoted(Names.of(settings).ops_schema, "source_counts")
    with opened(settings.duckdb_path) as connection:
        known = dict(connection.execute(f"select table_name, row_count from {counts}").fetchall())  # noqa: S608
        if not confirmed.vanished and (lost := vanished(totals, known, settings.insights.etl)):
            raise RefusedError(
                f"{lost} No relation was changed, because a missing row counts as deleted. Likely reasons: a snapshot"
                " of one organization in the place of one of all, or of another database; for it, name another file in"
                " insights.warehouse.path. If the rows were deleted on purpose, confirm it once: insights build"
                " --accept-vanished"
            )
        connection.executemany(
            f"insert into {counts} (table_name, row_count) values (?, ?) on conflict (table_name)"  # noqa: S608
            " do update set row_count = excluded.row_count, counted_at = now()",
            list(totals.items()),
        )
