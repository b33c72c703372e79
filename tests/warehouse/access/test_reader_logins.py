"""`insights reader`: logins are made once, listed, and removed with their rights; more rights are refused."""

from __future__ import annotations

import psycopg
import pytest
from click.testing import CliRunner
from support.readers import PASSWORD, add_reader, largest_organizations, reader_of, remove_reader, rows_of, seen_by
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.errors import ConflictError, MisconfiguredError, NotFoundError, RefusedError
from orchestration.warehouse.access import readers
from orchestration.warehouse.connection import connect
from orchestration.warehouse.database import Database

pytestmark = pytest.mark.services


def test_a_login_is_made_once_listed_and_removed_with_its_rights(built: Warehouse) -> None:
    (id_, slug), _ = largest_organizations(built)
    role = add_reader(built, slug)
    assert add_reader(built, slug, "another password, which is long") == role
    with connect(built.etl_url) as connection:
        (listed,) = readers.readers(Database(built.settings, connection))
    assert (listed.role, str(listed.organization_id), listed.slug, listed.has_login) == (role, id_, slug, True)
    verifier = built.value("select rolpassword from pg_authid where rolname = %s", role)
    assert verifier.startswith("SCRAM-SHA-256$")
    assert built.value("select rolconnlimit from pg_roles where rolname = %s", role) == 4
    with connect_as(built.postgres.url(built.name, role)) as session:
        assert session.execute("select count(*) > 0 from fact_tasks").fetchone() == (True,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.execute("create temporary table t (a int)")
        assert remove_reader(built, id_.upper()) == role
        with pytest.raises(psycopg.Error):
            session.execute("select count(*) from insights.fact_tasks")
    assert built.rows("select from insights_ops.readers") == []
    assert built.rows("select from pg_roles where rolname = %s", role) == []
    with pytest.raises(NotFoundError, match="has no reader"):
        remove_reader(built, slug)


def test_a_login_with_more_rights_is_refused_and_a_foreign_role_is_left_alone(built: Warehouse) -> None:
    _, slug = largest_organizations(built)[0]
    role = add_reader(built, slug)
    for statement, undo in (
        (f"grant orgo_insights_etl to {role}", f"revoke orgo_insights_etl from {role}"),
        (f"alter role {role} bypassrls", f"alter role {role} nobypassrls"),
    ):
        built.execute(statement)
        with pytest.raises(RefusedError, match="more rights than a reader"):
            add_reader(built, slug)
        built.execute(undo)
    built.execute(f"comment on role {role} is 'of another database'")
    with pytest.raises(ConflictError, match="is not a reader of this database"):
        add_reader(built, slug)
    remove_reader(built, slug)
    assert built.rows("select rolname::text from pg_roles where rolname = %s", role) == [(role,)]
    built.execute(f"drop role {role}")


def test_an_address_of_another_database_is_refused(built: Warehouse, prepared: Warehouse) -> None:
    with (
        connect(built.admin_url) as one,
        connect(prepared.etl_url) as other,
        pytest.raises(MisconfiguredError, match="both must lead to the database of the warehouse"),
    ):
        readers.check_same_database(Database(built.settings, one), Database(built.settings, other))


def test_the_commands_add_list_and_remove_a_login(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", built.admin_url)
    id_, slug = largest_organizations(built)[0]

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(commands, ["reader", *arguments])
        return done.exit_code, done.output

    code, output = run("add", slug)
    assert code == 2 and "set INSIGHTS_READER_PASSWORD" in output
    monkeypatch.setenv("INSIGHTS_READER_PASSWORD", PASSWORD)
    # An upgraded warehouse has marts that no load has written since.
    built.execute("drop policy insights_readers on insights.pattern_yearly")
    built.execute("drop view insights.reader_report_profile_scores")
    code, output = run("add", slug)
    role = reader_of(built, id_)
    assert (code, output) == (0, f"Created the login {role}; it sees the rows of {slug} ({id_}).\n")
    assert seen_by(built, role) == rows_of(built, id_)
    assert run("add", id_) == (0, f"Changed the password of {role}.\n")
    code, output = run("list")
    assert code == 0 and role in output and slug in output and PASSWORD not in output
    assert run("remove", slug) == (0, f"Removed the login {role}.\n")
    assert role not in run("list")[1]
