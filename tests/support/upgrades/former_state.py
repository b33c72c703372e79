"""A database as an earlier state of Insights left it, from a dump that is kept here, and how such a dump is made.

The dump is of commit 4d3cd89 of 2026-11-29, a state of 3.0.0 before its release: nothing has been released yet. It has
the small scenario, prepared and built by the code of that commit as of 2026-01-01, with every object, grant and row but
the rows of dim_dates, which each load makes. After a release, its dump takes this one's place (CONTRIBUTING.md).
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from support.small_scenario import ARRIVAL
from support.warehouse import NO_TESTS, Warehouse, create_database

from orchestration.config.files import Settings, load_settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres, binaries, remove_state, state_root

FILE = Path(__file__).parent / "state_of_2026-11-29.sql.gz"
AS_OF = date(2026, 1, 1)
# The types of the operational tables refuse the status that the scenario has to be rejected.
ROWS = ARRIVAL.replace("NONSENSE", "IN_PROGRESS")


def restore(name: str, postgres: LocalPostgres, settings: Settings) -> Warehouse:
    """Create a database from the dump; the roles of Insights must exist."""
    create_database(postgres, name)
    warehouse = Warehouse(name, postgres, settings)
    warehouse.execute(gzip.decompress(FILE.read_bytes()).decode())
    return warehouse


def dump(warehouse: Warehouse) -> bytes:
    """Prepare and build an empty database with the small scenario by the code of this checkout, and return its dump."""
    with connect(warehouse.admin_url) as connection:
        create_operational_schema(connection)
        initialize(connection, warehouse.settings)
    warehouse.execute(ROWS)
    built = warehouse.build(*NO_TESTS, as_of=AS_OF)
    assert built.succeeded, built.output
    program = binaries.postgres_programs() / "pg_dump"
    options = ("--inserts", "--rows-per-insert=1000", "--exclude-table-data=insights.dim_dates")
    text = subprocess.run([program, *options, warehouse.admin_url], capture_output=True, check=True).stdout
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith((b"\\restrict", b"\\unrestrict"))]
    return gzip.compress(b"".join(lines), mtime=0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        state = state_root(Path(folder))
        server = LocalPostgres(state)
        server.start()
        try:
            create_database(server, "former_state")
            Path(sys.argv[1]).write_bytes(dump(Warehouse("former_state", server, load_settings())))
        finally:
            server.stop()
            remove_state(state)
