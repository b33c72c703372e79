"""Fixtures: a server with the sample and a first full backup, for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.backups.server import KEY, NAME, Backed, copy_sample, settings_for
from support.warehouse import Warehouse

from orchestration.backups.run import run
from workshop.services import LocalPostgres, remove_state, state_root
from workshop.services.pgbackrest import program_for_the_server


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    """Yield variables that last as long as the server."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def backed(
    postgres: LocalPostgres,
    built_sample: str,
    tmp_path_factory: pytest.TempPathFactory,
    patched: pytest.MonkeyPatch,
) -> Iterator[Backed]:
    """Yield the server, encrypted and backed up once."""
    state = state_root(tmp_path_factory.mktemp("backed"))
    plain = LocalPostgres(state)
    plain.start()
    copy_sample(postgres, built_sample, plain)
    folder: Path = program_for_the_server(state)
    patched.setenv("PATH", str(folder), prepend=":")
    patched.setenv("INSIGHTS_BACKUP_KEY", KEY)
    settings = settings_for(state, "prod", plain.url(NAME, "orgo_insights_etl"), patched)
    made = Backed(state, Warehouse(NAME, plain, settings), settings)
    made.configure()
    plain.stop()
    archived = LocalPostgres(
        state,
        {"max_wal_senders": "3", "full_page_writes": "on", "include": str(made.directory / "postgresql.conf")},
    )
    archived.start()
    made.warehouse = Warehouse(NAME, archived, settings)
    run(settings, "full")
    yield made
    archived.stop()
    remove_state(state)
