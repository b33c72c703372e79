"""A serving database: what `insights publish` has copied from a file of DuckDB."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from support.dashboards.dashboard_scenario import ALL, OPEN, open_reader
from support.engines.duckdb_file import OF_A_LOAD
from support.engines.laptop import Laptop
from support.warehouse import NO_TESTS, Warehouse, create_database, drop_database

from orchestration.config.files import Settings, load_settings
from orchestration.dashboards.question import Asked
from orchestration.manifest import read_manifest, relations
from orchestration.publishing.definitions import declared_relations
from orchestration.publishing.publish import PublishReport, publish
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.services import LocalPostgres


@dataclass(frozen=True)
class Served:
    """A laptop with a file, and the database that serves it."""

    laptop: Laptop
    database: Warehouse

    @property
    def settings(self) -> Settings:
        """Return the settings of the laptop, with the serving database as the role that loads."""
        return self.settings_of(self.database)

    def settings_of(self, database: Warehouse) -> Settings:
        """Return the same settings with another serving database."""
        settings = self.laptop.settings(INSIGHTS_SERVING_URL=database.etl_url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INSIGHTS_SERVING_URL", database.etl_url)
            _ = settings.serving_url  # read now, while the variable is set
        return settings

    def publish(self) -> PublishReport:
        """Publish the file."""
        return publish(self.settings)

    def run(self, *arguments: str, **more: str) -> str:
        """Run `insights ARGUMENTS` in this process, which must succeed, and return what it prints."""
        done = self.laptop.run(*arguments, INSIGHTS_SERVING_URL=self.database.etl_url, **more)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return done.stdout


def take_and_build(
    laptop: Laptop, source: Warehouse, *selection: str, organization: str | None = None, **variables: str
) -> None:
    """Take a snapshot of a database, which replaces the former one, and build the file from it, without data tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSIGHTS_WAREHOUSE_URL", source.etl_url)
        take_snapshot(load_settings(), laptop.snapshot, Wanted(organization, replace=True))
    done = laptop.run("build", *selection, *NO_TESTS, **variables)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr


@contextmanager
def prepared_database(name: str, postgres: LocalPostgres, served: Settings) -> Iterator[Warehouse]:
    """Yield a new database that `insights init` has prepared for serving, and drop it after the block."""
    create_database(postgres, name)
    with connect(postgres.url(name, "postgres")) as connection:
        initialize(connection, served)
    yield Warehouse(name, postgres, served)
    drop_database(postgres, name)


def declared(served: Served) -> dict[str, str]:
    """Return {name: schema.relation} of what the exposures declare."""
    manifest = read_manifest(served.database.settings.of_postgres())
    found = relations(manifest)
    return {name: f"{found[name].schema}.{found[name].identifier}" for name in declared_relations(manifest)}


def columns_of(database: Warehouse, relation: str) -> dict[str, str]:
    """Return {column: type, whether it may be NULL, comment} of a relation, without what each load has of its own."""
    return dict(
        database.rows(
            "select attname, format('%%s %%s %%s', format_type(atttypid, atttypmod), attnotnull,"
            " col_description(attrelid, attnum)) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            relation,
        )
    )


def contents(database: Warehouse, relation: str, role: str | None = None) -> Counter[str]:
    """Return the rows of a relation as texts, as a role sees them (None: the superuser)."""
    columns = sorted(columns_of(database, relation).keys() - OF_A_LOAD)
    query = f"select row({', '.join(columns)})::text from {relation}"  # noqa: S608 - of the catalog
    with connect(database.postgres.url(database.name, role or "postgres")) as connection:
        return Counter(row for (row,) in connection.execute(query).fetchall())


def answers(database: Warehouse, organization: str) -> dict[str, Any]:
    """Return what each dashboard answers, in each form and for each set of visibilities."""
    reader, found = open_reader(database), {}
    for name, dashboard in reader.dashboards.items():
        asked = [Asked(name, organization, seen) for seen in (("PUBLIC",), OPEN, ALL)]
        asked += [Asked(name, organization, is_anonymised=True)] if dashboard.has_anonymised_form else []
        for one in asked:
            form = "anonymised" if one.is_anonymised else one.visibilities
            found[f"{name} {form}"] = json.loads(reader.answer(reader.question(one)).entry.body)
    reader.close()
    return found
