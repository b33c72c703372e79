"""Snapshots of databases that change meanwhile, differ from the contract, hide rows, or cannot record what leaves."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.warehouse import Warehouse

from orchestration.config.files import load_settings
from orchestration.errors import InsightsError
from orchestration.source_snapshot.take import Wanted, take_snapshot
from orchestration.warehouse.duckdb.prepare import prepare

pytestmark = pytest.mark.services


def test_all_tables_are_of_one_moment(prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    comments = prepared.value("select count(*) from task_comments")

    def delete(done: int, total: int, doing: str = "") -> None:
        if doing == "organizations":  # the first; comments are read later
            prepared.execute("delete from task_comments")

    description = take_snapshot(load_settings(), tmp_path / "snapshot", Wanted(), delete)
    assert prepared.value("select count(*) from task_comments") == 0
    assert description.tables["task_comments"].rows == comments


def test_columns_that_differ_are_converted_and_missing_ones_are_null(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    prepared.execute("""
        alter table roles drop column description;
        alter table wellbeing_checkins drop constraint if exists wellbeing_checkins_score_check;
        alter table wellbeing_checkins alter column score type numeric,
            alter column tags type jsonb using to_jsonb(tags);
        alter table learning_groups alter column created_at type timestamp using '2025-03-30 02:30:00';
        update wellbeing_checkins set score = 'NaN' where id = (select min(id::text)::uuid from wellbeing_checkins);
        update wellbeing_checkins set score = 7 where id = (select max(id::text)::uuid from wellbeing_checkins);
    """)
    here, folder, file = load_settings(), tmp_path / "snapshot", tmp_path / "warehouse.duckdb"
    take_snapshot(here, folder, Wanted())
    prepare(file, folder, here)
    with duckdb.connect(str(file), read_only=True) as connection:

        def value(query: str) -> object:
            found = connection.execute(query).fetchone()
            assert found
            return found[0]

        assert value("select count(description) from public.roles") == 0
        ordered = "select {} from public.wellbeing_checkins order by id::varchar {} limit 1"
        assert value(ordered.format("score", "")) is None
        assert value(ordered.format("score", "desc")) == 7
        moments = "select distinct created_at = timestamptz '2025-03-30 02:30:00+00' from public.learning_groups"
        assert value(moments) is True
    prepared.execute("alter table tasks drop column status cascade")
    with pytest.raises(InsightsError, match="The operational table tasks has no column status"):
        take_snapshot(here, tmp_path / "second", Wanted())
    assert list((tmp_path / "second").iterdir()) == []


def test_a_role_that_may_not_read_everything_takes_nothing(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    prepared.execute("alter table cases enable row level security")
    with pytest.raises(InsightsError, match="row-level security"):
        take_snapshot(load_settings(), tmp_path / "snapshot", Wanted())
    assert list((tmp_path / "snapshot").iterdir()) == []
    failed = prepared.rows("select event, reason from insights_ops.export_audit order by export_audit_id desc limit 1")
    assert failed[0][0] == "failed" and "row-level security" in failed[0][1]


def test_a_database_without_an_audit_needs_a_word(
    prepared: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", prepared.etl_url)
    prepared.execute("alter table insights_ops.export_audit rename to old_audit")
    with pytest.raises(InsightsError, match="insights snapshot --unrecorded"):
        take_snapshot(load_settings(), tmp_path / "snapshot", Wanted())
    description = take_snapshot(load_settings(), tmp_path / "snapshot", Wanted(unrecorded=True))
    assert description.audit_id is None
    assert description.rows > 0
