"""Everything that `insights init` could change, by pg_dump and by queries: a second way beside orchestration's own."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from support.warehouse import Warehouse

from workshop.services import binaries

_ENTRY = re.compile(r"^-- Name: (?P<name>.*); Type: (?P<type>.*); Schema: (?P<schema>.*); Owner: .*$", re.M)


def dump(warehouse: Warehouse) -> str:
    """Return the schema with its grants, and init's own rows with the transactions that wrote them."""
    rows = warehouse.rows("select xmin::text, profiles::text from insights_ops.profiles order by profile_code")
    rows += warehouse.rows("select xmin::text, releases::text from insights_ops.releases order by release_number")
    rows += roles(warehouse)
    return "\n".join([schema(warehouse), *map(str, rows)])


def roles(warehouse: Warehouse) -> list[tuple[str, ...]]:
    """Return the roles of Insights and their settings."""
    rows = warehouse.rows("select setrole::regrole::text, setconfig::text from pg_db_role_setting order by 1")
    return rows + warehouse.rows(
        "select rolname, pg_authid::text from pg_authid where rolname like 'orgo%%' order by 1"
    )


def schema(warehouse: Warehouse) -> str:
    """Return the whole schema with its grants, as pg_dump writes it."""
    pg_dump = binaries.postgres_programs() / "pg_dump"
    program = str(pg_dump) if pg_dump.exists() else shutil.which("pg_dump")
    if program is None:
        pytest.skip("pg_dump is not installed")
    done = subprocess.run([program, "--schema-only", warehouse.admin_url], text=True, capture_output=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def names(schema: str, kind: str) -> set[str]:
    """Return the objects of one of pg_dump's types, such as TABLE, with their schemas; functions with their types."""
    found = _ENTRY.finditer(schema)
    return {f"{one['schema']}.{one['name']}".removeprefix("-.") for one in found if one["type"] == kind}
