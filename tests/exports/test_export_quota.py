"""The rows of one user and UTC day are limited, also over exports that start at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.exports.exporting import ExportSession
from support.warehouse import connect_as

from orchestration.errors import InsightsError
from orchestration.exports.run import run_export

pytest_plugins = ["support.exports.export_sessions"]
pytestmark = pytest.mark.services


def _limited(session: ExportSession, rows: int) -> ExportSession:
    return session.changed(max_rows_per_user_per_day=rows)


def test_the_daily_limit_is_exact_and_belongs_to_one_user(own_session: ExportSession) -> None:
    rows = own_session.export("cases").rows
    assert rows > 1
    assert _limited(own_session, 2 * rows).export("cases", user=own_session.user().upper()).rows == rows
    says = _limited(own_session, 3 * rows - 1).refusal("cases", user=own_session.user().upper())
    today, tomorrow = own_session.warehouse.rows(
        "select to_char(now() at time zone 'UTC', 'YYYY-MM-DD'),"
        " to_char(now() at time zone 'UTC' + interval '1 day', 'YYYY-MM-DD')"
    )[0]
    assert f"The export has {rows:,} rows" in says
    assert f"already exported {2 * rows:,} of the {3 * rows - 1:,} rows" in says
    assert f"on {today} (UTC)" in says
    assert f"export after {tomorrow} 00:00 UTC" in says
    assert _limited(own_session, rows).export("cases", user=own_session.user(number=1)).rows == rows


def test_only_exports_of_today_count(own_session: ExportSession) -> None:
    rows = own_session.export("cases").rows
    limited = _limited(own_session, rows)
    own_session.warehouse.execute("update insights_ops.export_audit set logged_at = date_trunc('day', now(), 'UTC')")
    assert "has already exported" in limited.refusal("cases")
    own_session.warehouse.execute(
        "update insights_ops.export_audit set logged_at = logged_at - interval '1 microsecond'"
    )
    assert limited.export("cases").rows == rows


def test_a_failed_export_does_not_count_but_one_without_an_end_does(own_session: ExportSession) -> None:
    def interrupt(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    limited = _limited(own_session, own_session.export("cases", user=own_session.user(number=1)).rows)
    with pytest.raises(KeyboardInterrupt):
        run_export(limited.settings, limited.definitions, limited.request("cases"), interrupt)
    assert limited.export("cases").rows
    own_session.warehouse.execute("delete from insights_ops.export_audit where event = 'finished'")
    assert "has already exported" in limited.refusal("cases")


def test_a_complete_file_counts_although_its_end_was_not_recorded(own_session: ExportSession) -> None:
    limited = _limited(own_session, own_session.export("cases", user=own_session.user(number=1)).rows)
    own_session.warehouse.execute("""
        create function insights_ops.refuse_end() returns trigger language plpgsql as $$
        begin
            raise exception 'no end';
        end $$;
        create trigger refuse_end before insert on insights_ops.export_audit
        for each row when (new.event = 'finished') execute function insights_ops.refuse_end();
    """)
    with pytest.raises(InsightsError, match="The export is complete"):
        limited.export("cases")
    assert own_session.audit()[-1] == "failed"
    assert "has already exported" in limited.refusal("cases")


def test_two_exports_that_start_together_share_the_limit(own_session: ExportSession) -> None:
    """Both starts wait for a lock that the test holds, so that neither end of the race depends on timing."""
    rows = own_session.export("cases", user=own_session.user(number=1)).rows
    limited = _limited(own_session, 2 * rows - 1)
    own_session.warehouse.execute("""
        create function insights_ops.wait() returns trigger language plpgsql as $$
        begin
            perform pg_advisory_xact_lock_shared(815);
            return new;
        end $$;
        create trigger wait before insert on insights_ops.export_audit
        for each row when (new.event = 'started') execute function insights_ops.wait();
    """)

    def start(output: str) -> str:
        try:
            run_export(limited.settings, limited.definitions, limited.request("cases", output=output))
        except InsightsError as error:
            return str(error)
        return "done"

    with connect_as(own_session.warehouse.admin_url) as holder, ThreadPoolExecutor(2) as pool:
        holder.execute("select pg_advisory_lock(815)")
        outcomes = [pool.submit(start, output) for output in ("one", "two")]
        try:
            own_session.warehouse.wait_for(
                "select count(*) = 2 from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            )
        finally:
            holder.execute("select pg_advisory_unlock(815)")
        said = sorted((outcome.result(300) for outcome in outcomes), key=len)
    assert said[0] == "done"
    assert f"has already exported {rows:,} of the {2 * rows - 1:,} rows" in said[1]
