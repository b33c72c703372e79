"""Test the import into tables that Orgo's own migrations made: required columns without a default get a value."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from support.contents import contents
from support.deployed.deployed_schema import create_deployed_schema
from support.incidents.incident_database import Database, counts, load, one, rows, versions
from support.incidents.incident_files import FIRST, incident, report_rows, write_csv
from support.warehouse import Warehouse

from orchestration.config.files import Settings
from orchestration.errors import InsightsError, NotPreparedError
from orchestration.warehouse.init import initialize
from workshop.cli.load_incidents import load_incidents
from workshop.incidents.merge import TableCount
from workshop.operational import create_operational_schema
from workshop.services import LocalPostgres

LOG = [*incident("INC0000001", reopen_count="1"), *incident("INC0000002", contact_type="Email")]


@pytest.fixture
def deployed(database: str) -> Iterator[Database]:
    with psycopg.connect(database) as connection:
        create_deployed_schema(connection)
        connection.commit()
        yield connection


def alter(database: Database, *statements: str) -> None:
    with database.transaction():
        for statement in statements:
            database.execute(statement.encode())


def test_required_columns_get_what_their_type_allows(deployed: Database, tmp_path: Path) -> None:
    result = load(deployed, write_csv(tmp_path / "log.csv", LOG))
    assert {table: count.loaded for table, count in result.tables.items()} == counts(deployed)
    assert result.tables["tasks"] == TableCount(2, 0, 0)
    assert rows(
        deployed,
        "select profile_code, reactivity_profile, transparency_profile, pattern_sensitivity_profile, retention_profile,"
        " version from organization_profiles",
    ) == [("default", {}, {}, {}, {}, 1)]
    accounts = "select distinct auth_provider::text, status::text from user_accounts"
    assert rows(deployed, accounts) == [("external_only", "active")]
    assert rows(deployed, "select distinct confidentiality_level::text from person_profiles") == [("normal",)]
    assert rows(deployed, "select distinct description, is_system_role from roles") == [("", False)]
    assert rows(deployed, "select distinct description from cases") == [("",)]
    assert rows(deployed, "select distinct description, escalation_level from tasks") == [("", 0)]


def test_a_second_import_changes_nothing_not_even_a_filled_column(deployed: Database, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", LOG)
    load(deployed, log)
    alter(deployed, "update tasks set description = 'Written in Orgo', escalation_level = 2")
    before = versions(deployed)
    load(deployed, log)
    assert versions(deployed) == before


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param("text not null check (length(probe) > 0)", "incident-log", id="text with a check"),
        pytest.param("varchar(3) not null", "", id="short text"),
        pytest.param("integer not null check (probe <> 1)", "0", id="integer"),
        pytest.param("numeric(4, 2) not null", "1.00", id="numeric"),
        pytest.param("boolean not null check (probe)", "true", id="boolean"),
        pytest.param("text[] not null", "{}", id="array"),
        pytest.param("json not null", "{}", id="json"),
        pytest.param("jsonb not null check (jsonb_typeof(probe) = 'array')", "[]", id="jsonb"),
        pytest.param("interval not null", "00:00:00", id="interval"),
        pytest.param("date not null", "2016-02-29", id="date of creation"),
        pytest.param("mood not null check (probe <> 'first')", "second", id="enum"),
        pytest.param("named not null", "incident-log", id="domain"),
        pytest.param("named", "incident-log", id="domain that is required itself"),
        pytest.param("text not null default 'own'", "own", id="default"),
    ],
)
def test_a_required_column_of_any_kind_is_filled(
    deployed: Database, tmp_path: Path, column: str, expected: str
) -> None:
    alter(
        deployed,
        "create type mood as enum ('first', 'second')",
        "create domain named as text not null check (value <> '')",
        f"alter table tasks add column probe {column}",
    )
    load(deployed, write_csv(tmp_path / "log.csv", LOG))
    assert rows(deployed, "select distinct probe::text from tasks") == [(expected,)]


def test_the_imported_log_is_built_with_the_numbers_of_the_contracts_schema(
    postgres: LocalPostgres, settings: Settings, tmp_path: Path
) -> None:
    log = write_csv(tmp_path / "log.csv", LOG)
    built = []
    for name, create in (("incidents_deployed", create_deployed_schema), ("incidents", create_operational_schema)):
        postgres.create_database(name)
        warehouse = Warehouse(name, postgres, settings)
        with psycopg.connect(warehouse.admin_url) as connection:
            create(connection)
            connection.commit()
            load(connection, log)
            initialize(connection, settings)
        models = ("--select", "+fact_tasks", "+fact_cases", "--exclude-resource-type", "test", "unit_test")
        result = warehouse.build(*models, as_of="2016-04-01")
        assert result.succeeded, result.output[-2000:]
        built.append([contents(warehouse, f"insights.fact_{kind}s", f"{kind}_id") for kind in ("task", "case")])
    assert built[0] == built[1]
    assert [len(rows) for rows in built[0]] == [2, 1]


def test_every_column_that_cannot_be_filled_is_named_at_once(deployed: Database, tmp_path: Path) -> None:
    alter(
        deployed,
        "alter table organizations add column region_id uuid not null",
        "alter table user_accounts add column login text not null unique",
        "alter table cases add column weight integer not null check (weight > 100)",
        "alter table tasks alter column due_at set not null",
        "alter table tasks drop column assignee_role",
        "alter table tasks alter column case_id set not null",
        "alter table task_events add column source_ip inet not null",
    )
    with pytest.raises(NotPreparedError) as caught:
        load(deployed, write_csv(tmp_path / "log.csv", LOG))
    assert str(caught.value) == (
        "the operational tables cannot hold the log, nothing was written:"
        " organizations.region_id (uuid) is required, and the log has no value for it;"
        " user_accounts.login (text) is required, and the log has no value for it;"
        " cases.weight (integer) is required, and the log has no value for it;"
        " the table tasks lacks assignee_role;"
        " tasks.case_id (uuid) is required, and the log has no value for it in 1 rows;"
        " task_events.source_ip (inet) is required, and the log has no value for it."
        " The import needs the tables of the source contract; give other required columns a default"
    )
    assert set(counts(deployed).values()) == {0}


def test_the_command_fails_when_every_row_is_rejected(deployed: Database, database: str, tmp_path: Path) -> None:
    log = write_csv(tmp_path / "log.csv", [FIRST | {"incident_state": "-100"}, FIRST | {"opened_at": "?"}])
    report = tmp_path / "rejected.csv"
    done = CliRunner().invoke(load_incidents, [str(log), "--report", str(report), "--database-url", database])
    assert done.exit_code != 0
    assert isinstance(done.exception, InsightsError)
    assert str(done.exception) == f"no row of log.csv was imported; {report} says for each row what would be right"
    assert "2 rows of the file: 0 loaded, 0 merged, 2 rejected" in done.stdout
    assert len(report_rows(report)) == 2
    assert one(deployed, "select count(*) from organizations") == 0

    # One good row is enough, and so is a file whose rows are all known.
    good = write_csv(tmp_path / "log.csv", [FIRST, FIRST | {"incident_state": "-100"}])
    for _ in range(2):
        done = CliRunner().invoke(load_incidents, [str(good), "--report", str(report), "--database-url", database])
        assert done.exit_code == 0
