"""What `insights publish` refuses: older and foreign files, rows behind a cutoff, lost history, unknown types."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest
from support import in_process
from support.engines.laptop import Laptop
from support.engines.publications import change_file, publishing_variables, refusal_of, replace_snapshot, state_of
from support.engines.published import Served, take_and_build
from support.retention.purging import run_purge
from support.warehouse import Warehouse, disposable_copy

from orchestration import dbt
from orchestration.config.files import Settings
from orchestration.errors import (
    ConflictError,
    MisconfiguredError,
    NotBuiltError,
    NotPreparedError,
    RefusedError,
)
from orchestration.publishing.definitions import read_definitions
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytest_plugins = ["support.engines.publications"]
pytestmark = pytest.mark.services


def test_a_file_of_an_older_snapshot_of_the_same_day_is_refused(own: Served, tmp_path: Path) -> None:
    shutil.copytree(own.laptop.place, tmp_path / "newer")
    newer = Served(Laptop(tmp_path / "newer"), own.database)
    change_file(newer)
    replace_snapshot(newer, own.laptop.snapshot, tmp_path / "snapshot")
    assert newer.publish().number == 2
    before = state_of(own.database)
    assert "and the file an older one, of" in refusal_of(own, own.database, ConflictError)
    assert state_of(own.database) == before
    assert newer.publish().number is None


def test_a_file_of_which_a_build_loaded_a_part_is_refused(own: Served, warehouse: Warehouse) -> None:
    """A newer snapshot, then another day; the rest of the models makes the file whole."""
    day, next_day = SAMPLE_AS_OF, SAMPLE_AS_OF + timedelta(days=1)
    former = own.laptop.value("select strftime(max(moment), '%Y-%m-%d') from insights_ops.snapshots")
    before = state_of(own.database)
    take_and_build(own.laptop, warehouse, "--select", "dim_roles")
    refusal = refusal_of(own, own.database, NotBuiltError)
    assert refusal.startswith("Relations of the file are of different loads, because a build of it left out or skipped")
    assert f"The newest load is as of {day} from the snapshot of " in refusal
    assert f"Loaded as of {day} from the snapshot of {former} " in refusal
    assert ": bridge_entity_labels, dim_cases, dim_labels, dim_learning_groups, dim_organizations and " in refusal
    assert refusal.endswith(". Run, with all models: insights build")
    with duckdb.connect(str(own.laptop.file)) as file:
        moment = file.execute("select max(prepared_at) from insights_ops.snapshots").fetchall()[0][0]
        # All but the rejected rows, which are not published.
        file.execute("update insights_ops.load_log set logged_at = ? where relation_name <> 'rejects'", [moment])
        # What a published relation is made from counts too.
        file.execute(
            "update insights_ops.load_log set as_of = ? where relation_name = 'int_task_lifecycle'", [next_day]
        )
    assert f"The newest load is as of {next_day} " in refusal_of(own, own.database, NotBuiltError)
    assert state_of(own.database) == before
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("update insights_ops.load_log set as_of = ?", [day])
    assert own.publish().number == 2


def test_a_snapshot_that_was_replaced_after_the_build_is_refused(own: Served, tmp_path: Path) -> None:
    before = state_of(own.database)
    replace_snapshot(own, own.laptop.snapshot, tmp_path / "snapshot", is_known=False)
    refusal = refusal_of(own, own.database, NotBuiltError)
    assert f"and {tmp_path / 'snapshot'} has another one now, of " in refusal
    assert state_of(own.database) == before


def test_loads_and_purges_leave_a_serving_database_alone(served: Served, settings: Settings) -> None:
    before = state_of(served.database)
    with pytest.raises(ConflictError, match=r"^insights publish writes this database, "):
        dbt.build(settings, url=served.database.etl_url)
    with pytest.raises(ConflictError, match=r"^insights publish writes this database, "):
        run_purge(served.database, settings, [])
    done = in_process.run(settings, ["run", "--select", "dim_dates"], served.database.etl_url, {})
    assert done[0] is False
    assert "insights publish writes this database; what dbt changes here would be lost" in done[1]
    assert state_of(served.database) == before


def test_what_must_not_be_published_is_refused(
    own: Served, warehouse: Warehouse, postgres: LocalPostgres, settings: Settings
) -> None:
    with disposable_copy(warehouse.name, "no_serving", postgres, settings) as other:
        assert "is a warehouse that loads write" in refusal_of(own, other, ConflictError)
    before = state_of(own.database)
    organization = "'00000000-0000-0000-0000-00000000000a'"
    publications = "update insights_ops.publications set {}"
    own.database.execute(publications.format(f"organization_id = {organization}, organization = 'elsewhere'"))
    assert "has rows of elsewhere, and the file those of all organizations" in refusal_of(
        own, own.database, ConflictError
    )
    own.database.execute(publications.format("organization_id = null, organization = null"))
    own.database.execute(publications.format("loaded_through = '2030-01-01'"))
    assert "has changes up to 2030-01-01" in refusal_of(own, own.database, ConflictError)
    own.database.execute(
        publications.format("loaded_through = (select max(loaded_through) from insights_ops.load_log)")
    )
    own.database.execute(publications.format("environment = 'prod'"))
    assert "is of the environment prod, the file was built in" in refusal_of(own, own.database, ConflictError)
    own.database.execute(publications.format("environment = (select min(environment) from insights_ops.load_log)"))
    assert state_of(own.database) == before
    own.database.execute("alter table insights_ops.published_relations rename to former")
    assert "not prepared for this release" in refusal_of(own, own.database, NotPreparedError)
    own.database.execute("alter table insights_ops.former rename to published_relations")
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("alter table insights.dim_roles rename column display_name to former")
    assert "insights.dim_roles has no column display_name. Run: insights build" in refusal_of(
        own, own.database, NotBuiltError
    )
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("drop table insights.dim_roles")
    assert "has no insights.dim_roles. Run: insights build" in refusal_of(own, own.database, NotBuiltError)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("delete from insights_ops.load_log")
    assert "was never loaded. Run: insights build" in refusal_of(own, own.database, NotBuiltError)


def test_rows_behind_a_published_cutoff_do_not_come_back(own: Served) -> None:
    """A file that was built anew with a longer retention; a cutoff of a relation without raw events says nothing."""
    log = (
        "insert into insights_ops.load_log by name select * exclude (load_log_id, invocation_id, cutoff), {} from ({})"
    )
    newest = "select * from insights_ops.load_log where relation_name = '{}' order by load_log_id desc limit 1"
    earlier = log.format("invocation_id || 'y' as invocation_id, cutoff - 1 as cutoff", newest)
    before = state_of(own.database)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(earlier.format("fact_tasks"))
    assert "Rows of fact_tasks before " in refusal_of(own, own.database, ConflictError)
    assert state_of(own.database) == before
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute("delete from insights_ops.load_log where invocation_id like '%y'")
        file.execute(earlier.format("dim_roles"))
    assert own.publish().loads == 1


def test_history_that_a_file_built_anew_lacks_is_kept_unless_confirmed(own: Served) -> None:
    months = "select count(distinct month) from insights.report_monthly_trends"
    first = "(select min(month) from insights.report_monthly_trends)"
    served = own.database.value(months)
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(
            "update insights_ops.load_log set invocation_id = 'anew' where relation_name = 'report_monthly_trends'"
        )
    assert own.publish().loads == 1  # it has every month
    with duckdb.connect(str(own.laptop.file)) as file:
        file.execute(f"delete from insights.report_monthly_trends where month = {first}")  # noqa: S608
        file.execute(
            "update insights_ops.load_log set invocation_id = 'b' where relation_name = 'report_monthly_trends'"
        )
    before = state_of(own.database)
    month = own.database.value(f"select {first}::text")
    refusal = refusal_of(own, own.database, RefusedError)
    assert f"lacks 1 of the periods of report_monthly_trends that are served ({month} to {month})" in refusal
    assert state_of(own.database) == before
    own.run("publish", "--yes")
    assert own.database.value(months) == served - 1


def test_a_relation_that_cannot_be_copied_is_named(own: Served) -> None:
    """As a table of the source, which no load writes."""
    with pytest.raises(
        MisconfiguredError, match="An exposure depends on tasks, which is no model or seed of this project"
    ):
        read_definitions(own.settings, own.database.etl_url, ["dim_roles", "tasks"])


def test_the_commands_prepare_publish_and_answer(served: Served, postgres: LocalPostgres) -> None:
    postgres.create_database("serving_by_commands")
    own = Served(served.laptop, Warehouse("serving_by_commands", postgres, served.database.settings))
    said = own.run("init", INSIGHTS_ADMIN_URL=own.database.admin_url)
    assert f"{own.laptop.file} reads" in said and "The database is prepared (" in said
    done = own.laptop.start("publish", "--format", "json", **publishing_variables(own))
    assert '"name": "fact_tasks"' in done.stdout, done.stderr
    assert "sample-hospital" in own.run("organizations")
    dashboard = ["dashboard", "overview", "--org", "sample-hospital", "--as", "manager"]
    assert "COMPLETED" in own.run(*dashboard, "--visibility", "PUBLIC", "--visibility", "INTERNAL")
    assert '"pattern_id"' in own.run("patterns", "list", "--format", "json")
    for command in ("purge", "reconcile", "run daily_events_load", "reviews list", "backup check"):
        done = own.laptop.run(*command.split(), INSIGHTS_SERVING_URL=own.database.etl_url)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: This needs PostgreSQL, and insights.warehouse.type is duckdb: "), command
    with connect(own.database.reader_url) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select * from insights_personal.personal_cases")
