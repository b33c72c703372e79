"""The role of exports: it exports what the role that loads exports, and reads, writes and learns nothing else."""

# ruff: noqa: S608 -- every statement is made of literals of the tests and names of the catalog

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from support.exports.exporting import HOSPITAL, KEY, ExportSession
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.config.files import Settings
from orchestration.exports.masking import INNER, OUTER, key_blocks
from orchestration.warehouse.contract import contract_tables
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

pytest_plugins = ["support.exports.export_sessions"]

PERSONAL = {"full_name", "external_reference", "title", "source_keys", "visible_source_keys", "source_reference"}


@dataclass(frozen=True)
class ExportRole:
    """A built warehouse that knows the key, and the address of the role of exports."""

    session: ExportSession
    url: str
    connection: psycopg.Connection

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse."""
        return self.session.warehouse

    def refuses(self, statement: str, parameters: Any = None) -> bool:
        """Return whether the database refuses a statement for lack of a privilege; it is rolled back."""
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(statement, parameters)
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False


@pytest.fixture(scope="module")
def known_key(postgres: LocalPostgres, settings: Settings, built_sample: str) -> Warehouse:
    """Return a copy of the built sample that insights init has given the key; tests change only the audit."""
    warehouse = Warehouse.copy_of(built_sample, "export_role", postgres, settings)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("INSIGHTS_ADMIN_URL", warehouse.admin_url)
        monkeypatch.setenv("INSIGHTS_EXPORT_KEY", KEY)
        done = CliRunner().invoke(commands, ["init"])
    assert done.exit_code == 0, done.output
    assert "INSIGHTS_EXPORT_KEY" not in done.output
    return warehouse


@pytest.fixture
def role(known_key: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExportRole]:
    """Yield the role of exports, without an address of the role that loads."""
    session = ExportSession.at(known_key, tmp_path / "exports", monkeypatch)
    url = known_key.postgres.url(known_key.name, "orgo_insights_export")
    monkeypatch.delenv("INSIGHTS_WAREHOUSE_URL")
    monkeypatch.setenv("INSIGHTS_EXPORT_WAREHOUSE_URL", url)
    with connect_as(url) as connection:
        yield ExportRole(session, url, connection)


def _catalog(warehouse: Warehouse, schemas: tuple[str, ...]) -> list[tuple[str, str]]:
    return warehouse.rows(
        "select format('%%I.%%I', c.relnamespace::regnamespace, c.relname), quote_ident(a.attname)"
        " from pg_attribute as a inner join pg_class as c on a.attrelid = c.oid"
        " where c.relkind in ('r', 'p', 'v', 'm') and a.attnum > 0"
        " and not a.attisdropped and c.relnamespace::regnamespace::text = any(%s)",
        list(schemas),
    )


def test_it_exports_what_the_role_that_loads_exports(role: ExportRole, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: role.session.rows(name, file_format="jsonl") for name in role.session.definitions}
    assert sum(len(rows) for rows in found.values()) > 1000
    who = "select distinct database_user::text from insights_ops.export_audit"
    assert role.warehouse.rows(who) == [("orgo_insights_export",)]
    monkeypatch.delenv("INSIGHTS_EXPORT_WAREHOUSE_URL")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", role.warehouse.etl_url)
    loader = replace(role.session, settings=replace(role.session.settings))
    for name, rows in found.items():
        assert sorted(map(str, rows)) == sorted(map(str, loader.rows(name, file_format="jsonl")))
    assert len(role.warehouse.rows(who)) == 2


def test_it_reads_no_personal_column_of_a_mart_and_nothing_that_no_export_has(role: ExportRole) -> None:
    exported = {part.name for definition in role.session.definitions.values() for part in definition.parts}
    readable = {
        (relation.partition(".")[2], column)
        for relation, column in _catalog(role.warehouse, ("insights", "insights_personal"))
        if not role.refuses(f"select {column} from {relation} limit 1")
    }
    assert {relation for relation, _ in readable} == exported | {"dim_organizations"}
    assert {column for _, column in readable} & PERSONAL == set()
    assert ("dim_cases", "visible_domain") in readable
    for relation in ("personal_cases", "personal_persons"):
        assert role.refuses(f"select t::text from insights_personal.{relation} as t")
        assert role.refuses(f"select to_jsonb(t) from insights_personal.{relation} as t")


def test_it_reads_no_source_staging_snapshot_or_secret(role: ExportRole) -> None:
    allowed = {
        relation
        for relation, column in _catalog(
            role.warehouse, ("public", "insights_staging", "insights_snapshots", "insights_ops")
        )
        if not role.refuses(f"select {column} from {relation} limit 1")
    }
    assert allowed == {f"insights_ops.{name}" for name in ("export_audit", "export_claims", "load_log", "purge_log")}
    assert len(contract_tables()) > 10
    # Functions that read the source run with the rights of the caller, or are for others.
    names = role.warehouse.rows(
        "select p.oid::regprocedure::text from pg_proc as p where p.pronamespace in"
        " ('insights_staging'::regnamespace, 'insights_ops'::regnamespace) and p.prosecdef"
        " and has_function_privilege('orgo_insights_export', p.oid, 'execute')"
    )
    assert {name.partition("(")[0] for (name,) in names} == {
        *("insights_ops.active_user", "insights_ops.masked_personal_cases", "insights_ops.prove_key"),
    }


def test_it_masks_only_with_the_key_of_the_installation(role: ExportRole) -> None:
    organization = UUID(role.session.organization_id())
    right = key_blocks(KEY.encode(), organization)
    padded = b"chosen".ljust(64, b"\0")
    mine = (bytes(b ^ INNER for b in padded), bytes(b ^ OUTER for b in padded))
    guesses = [
        # A key of one's own, from which the masks of guessed values follow, with any proof.
        *(
            (*mine, proof)
            for proof in (right.proof, b"", sha256(b"".join(mine)).digest(), hmac.digest(b"", b"", "sha256"))
        ),
        key_blocks(b"another key which is long enough 0123", organization),
        # The bytes of the right blocks, divided elsewhere.
        (right.inner[:-1], right.inner[-1:] + right.outer, right.proof),
        (b"", right.inner + right.outer, right.proof),
        (None, None, None),
        (right.inner, right.outer, None),
    ]
    call = "select count(*) from insights_ops.masked_personal_cases(%s, %s, %s, %s)"
    for blocks in guesses:
        assert role.refuses(call, [organization, *blocks]), blocks
    assert not role.refuses(call, [organization, *right])
    # What the function itself gives has no personal value in it.
    with connect_as(role.url) as connection:
        rows = connection.execute(
            "select title, source_keys from insights_ops.masked_personal_cases(%s, %s, %s, %s)", [organization, *right]
        ).fetchall()
    assert {title for title, _ in rows} <= {"[redacted]", None}
    assert all(len(mask) == 32 for _, masks in rows for mask in masks)


def test_what_it_plants_is_not_run_with_the_rights_of_the_loads(role: ExportRole) -> None:
    organization = UUID(role.session.organization_id())
    with connect_as(role.url) as connection:
        connection.execute(
            "create function pg_temp.sha256(bytea) returns bytea language sql as"
            " $f$ select convert_to(current_user, 'UTF8') $f$;"
            "create temporary table personal_cases (case_id uuid, organization_id uuid, title text);"
            "create function pg_temp.lower(text) returns text language sql as $f$ select 'planted' $f$;"
            "set search_path = pg_temp, pg_catalog"
        )
        statement = "select count(*) from insights_ops.masked_personal_cases(%s, %s, %s, %s)"
        found = connection.execute(statement, [organization, *key_blocks(KEY.encode(), organization)]).fetchone()
        assert found is not None
        assert found[0] > 100
        user = role.session.user()
        row = connection.execute("select insights_ops.active_user(%s, %s)", [organization, user.upper()]).fetchone()
        assert row == (UUID(user),)


def test_it_writes_only_the_audit_and_its_own_claims(role: ExportRole) -> None:
    written = [*dict(_catalog(role.warehouse, ("insights", "insights_ops", "public")))]
    tables = {name for (name,) in role.warehouse.rows("select format('%I.%I', schemaname, tablename) from pg_tables")}
    for relation in tables & set(written):
        if relation != "insights_ops.export_claims":
            assert role.refuses(f"delete from {relation}"), relation
            assert role.refuses(f"truncate {relation}"), relation
        assert role.refuses(f"drop table {relation}"), relation
    assert len(tables & set(written)) > 40
    statements = [
        "create table insights.mine (a int)",
        "create table insights_ops.mine (a int)",
        "insert into insights.dim_dates default values",
        "update insights_ops.export_audit set row_count = 0",
        "insert into insights_ops.export_audit (logged_at) values (now())",
        "insert into insights_ops.load_log (relation_name) values ('x')",
        "set role orgo_insights_etl",
        "set role orgo_insights_ro",
        "set role orgo_insights_ro_readers",
        "set session authorization orgo_insights_etl",
        "alter function insights_ops.active_user(uuid, uuid) owner to orgo_insights_export",
        "create or replace function insights_ops.active_user(uuid, uuid) returns uuid language sql as 'select $1'",
        "select insights_ops.opaque_id('a label')",
        "select secret from insights_ops.secret_keys",
        "select setval('insights_ops.claim_numbers', 1)",
    ]
    assert [statement for statement in statements if not role.refuses(statement)] == []


def test_it_can_neither_take_nor_free_the_claim_of_a_load(role: ExportRole) -> None:
    with role.warehouse.locked():
        for statement in (
            "update insights_ops.claims set released_at = now()",
            "delete from insights_ops.claims",
            "insert into insights_ops.claims select * from insights_ops.export_claims",
            "select from insights_ops.claims for update",
            "lock table insights_ops.claims in row share mode",
            "select insights_ops.prove_claim('writer', 1)",
        ):
            assert role.refuses(statement), statement
        with connect_as(role.url) as connection, connection.transaction(force_rollback=True):
            connection.execute(
                "insert into insights_ops.export_claims (claim_name, claim_number, backend_pid, backend_start,"
                " database_user, application_name, command) values"
                " ('writer', 99999, pg_backend_pid(), now(), 'x', 'x', 'x')"
            )
        held = "select count(*) from insights_ops.claims as c where c.claim_name = 'writer' and insights_ops.is_held(c)"
        assert role.warehouse.value(held) == 1


def test_another_key_is_refused_with_what_to_do(role: ExportRole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", f"{KEY} but another")
    says = role.session.refusal("cases")
    assert "run insights init" in says
    assert "INSIGHTS_EXPORT_KEY" in says
    monkeypatch.setenv("INSIGHTS_ADMIN_URL", role.warehouse.admin_url)
    assert CliRunner().invoke(commands, ["init"]).exit_code == 0
    assert role.session.rows("cases")
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", KEY)
    assert CliRunner().invoke(commands, ["init"]).exit_code == 0


def test_without_an_address_of_its_own_an_export_says_as_whom_it_ran(
    role: ExportRole, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["export", "cases", "--org", HOSPITAL, "--from", "2025-01-01", "--to", "2025-02-01", "--user"]
    arguments += [role.session.user(), "--output"]
    done = CliRunner().invoke(commands, [*arguments, "as_itself"])
    assert done.exit_code == 0, done.output
    assert "role that loads" not in done.output
    monkeypatch.delenv("INSIGHTS_EXPORT_WAREHOUSE_URL")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", role.warehouse.etl_url)
    done = CliRunner().invoke(commands, [*arguments, "as_loader"])
    assert done.exit_code == 0, done.output
    assert "INSIGHTS_EXPORT_WAREHOUSE_URL" in done.output


def test_a_relation_that_no_export_reads_any_more_is_closed(role: ExportRole) -> None:
    with connect_as(role.warehouse.etl_url) as loader, loader.transaction(force_rollback=True):
        loader.execute("select insights_ops.allow_exports('insights_personal.personal_cases'::regclass, null)")
        row = loader.execute(
            "select has_any_column_privilege('orgo_insights_export', 'insights_personal.personal_cases', 'select'),"
            " to_regproc('insights_ops.masked_personal_cases') is null"
        ).fetchone()
        assert row == (False, True)


def test_a_load_that_finds_everything_as_it_should_be_defines_nothing_again(role: ExportRole) -> None:
    defined = (
        "select xmin::text, oid, proname from pg_proc"
        " where proname in ('masked_personal_cases', 'active_user') order by oid"
    )
    before = role.warehouse.rows(defined)
    assert len(before) == 2
    build = role.warehouse.build(
        "--select", "personal_cases", "stg_user_accounts", "dim_organizations", as_of=SAMPLE_AS_OF
    )
    assert build.succeeded, build.output
    assert role.warehouse.rows(defined) == before
