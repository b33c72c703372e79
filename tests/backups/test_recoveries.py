"""Real recoveries of a server, as docs/operations/backups.md tells them: a dropped table, a lost data folder."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.backups.bucket import bucket
from support.backups.server import Backed, settings_for
from support.exports.object_storage import BUCKET, KEY_ID, SECRET

from orchestration.backups.drill import drill
from orchestration.backups.ledger import Cutoff, Ledger, reapply
from orchestration.backups.run import run
from orchestration.backups.scratch import PREFIX, scratch
from orchestration.cli import commands
from orchestration.warehouse.connection import connect

pytest_plugins = ["support.backups.fixtures"]
pytestmark = pytest.mark.services

COUNT = "select count(*) from insights.fact_tasks"


def recover(backed: Backed, *options: str) -> None:
    """Do what the page says: stop, restore, start, and wait until the recovery has ended."""
    backed.stop()
    backed.tool.run("restore", *options)
    backed.start()
    backed.warehouse.wait_for("select not pg_is_in_recovery()")


def test_a_dropped_table_comes_back_without_what_was_taken_away_since(backed: Backed, tmp_path: Path) -> None:
    warehouse = backed.warehouse
    tasks = warehouse.value(COUNT)
    person = warehouse.rows("select organization_id, person_id from insights_personal.personal_persons limit 1")[0]
    case = warehouse.value("select case_id from insights_ops.review_requests order by 1 limit 1")
    good = backed.moment()
    # Since then: a person was erased, a case was delivered, old tasks were purged. Then somebody drops a table.
    oldest = warehouse.value("select min(created_date_key) from insights.fact_tasks")
    purged = warehouse.value("select count(*) from insights.fact_tasks where created_date_key = %s", oldest)
    with connect(warehouse.admin_url) as connection:
        connection.execute("delete from insights_personal.personal_persons where person_id = %s", [person[1]])
        connection.execute("update insights.dim_persons set is_gone = true where person_id = %s", [person[1]])
        connection.execute("insert into insights_ops.review_deliveries values (%s, 'sent', 1, '201 Created')", [case])
        connection.execute(
            "insert into insights_ops.purge_log"
            " (relation_name, retention_class, as_of, cutoff, environment, finished_at)"
            " values ('fact_tasks', 'raw_event', '2026-01-01', %s::date + 1, 'prod', now())",
            [oldest],
        )
    warehouse.execute("drop table insights.fact_tasks cascade")
    ledger = tmp_path / "ledger.json"
    taken = CliRunner().invoke(commands, ["backup", "ledger"])
    assert taken.exit_code == 0, taken.output
    ledger.write_bytes(taken.stdout_bytes)
    assert b"201 Created" in taken.stdout_bytes
    name = warehouse.value("select person_id from insights.dim_persons where is_gone and person_id = %s", person[1])
    assert str(name).encode() in taken.stdout_bytes
    backed.archive()
    recover(backed, "--delta", "--type=time", f"--target={good:%Y-%m-%d %H:%M:%S.%f}+00", "--target-action=promote")
    assert warehouse.value(COUNT) == tasks
    assert warehouse.value("select count(*) from insights_ops.review_deliveries") == 0  # it would be sent again
    done = CliRunner().invoke(commands, ["backup", "reapply", str(ledger)])
    assert done.exit_code == 0, done.output
    assert warehouse.value(COUNT) == tasks - purged
    named = "select count(*) from insights_personal.personal_persons where person_id = %s"
    assert warehouse.value(named, person[1]) == 0
    assert warehouse.rows("select case_id, status from insights_ops.review_deliveries") == [(case, "sent")]
    again = CliRunner().invoke(commands, ["backup", "reapply", str(ledger), "--format", "csv"])
    assert again.stdout.splitlines() == ["cutoffs,rows_purged,persons,deliveries", "0,0,0,0"]
    # As after an interruption: the cutoff of a ledger is there, and rows before it are too.
    cutoff = warehouse.value("select min(created_date_key) + 1 from insights.fact_tasks")
    left = warehouse.value("select count(*) from insights.fact_tasks where created_date_key < %s", cutoff)
    with connect(warehouse.admin_url) as connection:
        connection.execute(
            "insert into insights_ops.purge_log (relation_name, retention_class, as_of, cutoff, environment)"
            " values ('fact_tasks', 'raw_event', '2026-01-01', %s, 'prod')",
            [cutoff],
        )
    with backed.opened() as db:
        resumed = reapply(db, Ledger((Cutoff("fact_tasks", "raw_event", date(2026, 1, 1), cutoff),)))
    assert resumed.cutoffs == 0
    assert resumed.rows_purged >= left > 0
    assert warehouse.value(COUNT) == tasks - purged - left
    assert warehouse.value("select count(*) from insights_ops.purge_log where finished_at is null") == 0
    run(backed.settings, "full")  # a new timeline begins with a backup of its own


def test_a_lost_data_folder_comes_back_with_all_that_was_archived(backed: Backed) -> None:
    warehouse = backed.warehouse
    warehouse.execute("create table public.last_words as select 'archived' as word")
    backed.archive()
    rows = warehouse.value(COUNT)
    backed.stop()
    owner = backed.data.stat()
    shutil.rmtree(backed.data)
    backed.data.mkdir(mode=0o700)
    shutil.chown(backed.data, owner.st_uid, owner.st_gid)
    recover(backed)
    assert warehouse.value(COUNT) == rows
    assert warehouse.value("select word from public.last_words") == "archived"
    run(backed.settings, "full")


def test_a_corrupted_file_of_the_repository_fails_the_drill(backed: Backed) -> None:
    backed.archive()
    newest = backed.repository / "backup/insights" / backed.tool.info()["backup"][-1]["label"]
    largest = max((path for path in newest.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    middle = len(whole) // 2
    largest.write_bytes(
        whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
    )
    try:
        tried = drill(backed.settings)
    finally:
        largest.write_bytes(whole)
    assert tried.failure
    assert tried.failure.startswith("pgBackRest could not restore")
    assert "/pg_data/base/" in tried.failure or "/data/base/" in tried.failure, tried.failure
    assert list(tried.step_seconds) == ["restore"]
    assert list(backed.directory.glob(f"{PREFIX}*")) == []
    assert backed.warehouse.value("select failure from insights_ops.backup_drills order by ended_at desc limit 1") == (
        tried.failure
    )


def test_object_storage_keeps_backups_too(backed: Backed) -> None:
    certificate, before = backed.state / "storage.crt", backed.settings
    with bucket(certificate) as (storage, endpoint), pytest.MonkeyPatch.context() as patch:
        places = {"s3_endpoint": endpoint, "s3_ca_file": str(certificate)}
        backed.settings = settings_for(backed.state, "prod", before.warehouse_url, patch, **places)
        variables = {"REPOSITORY": f"s3://{BUCKET}/insights", "S3_KEY": KEY_ID, "S3_SECRET": SECRET}
        for name, value in variables.items():
            patch.setenv(f"INSIGHTS_BACKUP_{name}", value)
        backed.configure()
        try:
            made = run(backed.settings, "full")
            with scratch(backed.tool, backed.directory, 0) as restored:
                restored.restore(None)
                assert (restored.data / "PG_VERSION").read_text("utf-8") == "15\n"
        finally:
            backed.settings = before
        key = f"insights/backup/insights/{made.label}/backup.manifest"
        assert storage.body(key)[:8] == b"Salted__"
    backed.configure()
    backed.archive()
