"""Named tries to get out of the warehouse what one may not have. None succeeds, and each is in the audit."""

# ruff: noqa: S608 -- every statement is made of literals of the tests

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from support.exports.exporting import AGGREGATES, CLUB, HOSPITAL, KEY, STORES, ExportSession, mask
from support.pooler import Pooler
from support.warehouse import Warehouse, connect_as

from orchestration.cli import commands
from orchestration.cli.export import export as export_command
from orchestration.errors import InsightsError
from orchestration.exports.masking import key_blocks
from orchestration.exports.run import run_export
from workshop.services import LocalPostgres

pytest_plugins = ["support.exports.export_sessions"]
pytestmark = pytest.mark.services

VISIBLE = ("PUBLIC", "INTERNAL")
STRICT = ("RESTRICTED", "ANONYMISED")
SQL = ["'; drop table insights.fact_tasks; --", "x' or '1'='1", '") or true --', "%s", "{}", "$1", "\\", "a;b"]
AUDIT = "insights_ops.export_audit"


@pytest.fixture
def pooler(shared: Warehouse) -> Iterator[str]:
    """The URL of the shared warehouse through something that makes up the key for cancelling, as poolers do."""
    with Pooler(shared.postgres.socket_dir / ".s.PGSQL.5432") as port:
        yield f"postgresql://orgo_insights_etl@127.0.0.1:{port}/{shared.name}?sslmode=disable&gssencmode=disable"


# Another's data


@pytest.mark.parametrize("form", ["slug", "id"])
def test_another_organization_by_its_slug_or_id_with_ones_own_user(session: ExportSession, form: str) -> None:
    other = STORES if form == "slug" else session.organization_id(STORES)
    assert "has no active user" in session.refusal("tasks", organization=other)


def test_ones_own_organization_with_another_organizations_user(session: ExportSession) -> None:
    stranger, nobody = session.user(STORES), str(uuid4())
    refusals = {who: session.refusal("tasks", user=who).replace(who, "X") for who in (stranger, nobody)}
    assert refusals[stranger] == refusals[nobody]  # the refusal does not reveal that the stranger exists


def test_a_user_who_is_not_active(session: ExportSession) -> None:
    assert "has no active user" in session.refusal("tasks", user=session.user(status="inactive"))


@pytest.mark.parametrize("user", ["", "*", "%", "null", "00000000-0000-0000-0000-000000000000", " ", "{}"])
def test_a_user_who_is_everybody_or_nobody(session: ExportSession, user: str) -> None:
    assert "has no active user" in session.refusal("tasks", user=user)


@pytest.mark.parametrize("organization", ["*", "%", "_", "", "sample-%", "sample", f"{HOSPITAL},{STORES}", " ", "null"])
def test_a_wildcard_for_the_organization(session: ExportSession, organization: str) -> None:
    assert "There is no organization" in session.refusal("tasks", organization=organization)


def test_an_organization_whose_slug_is_the_id_of_another(own_session: ExportSession) -> None:
    victim = own_session.organization_id(STORES)
    own_session.warehouse.execute(f"update insights.dim_organizations set slug = '{victim}' where slug = '{HOSPITAL}'")
    assert "Several organizations have the slug" in own_session.refusal("tasks", organization=victim)


def test_rows_of_another_organization_through_a_join(own_session: ExportSession) -> None:
    # A dimension row that claims to be of a task of ours, but is another organization's.
    ours = own_session.rows("tasks", file_format="jsonl")
    victim = ours[0]["task_id"]
    own_session.warehouse.execute(
        f"update insights.dim_tasks set label = 'of another', organization_id = '{own_session.organization_id(STORES)}'"
        f" where task_id = '{victim}'"
    )
    rows = own_session.rows("tasks", file_format="jsonl")
    assert len(rows) == len(ours)
    assert [row["label"] for row in rows if row["task_id"] == victim] == [None]


# SQL where none belongs


@pytest.mark.parametrize("option", ["name", "organization", "user", "file_format", "output"])
def test_sql_in_every_option(session: ExportSession, option: str) -> None:
    before = session.warehouse.value("select count(*) from insights.fact_tasks")
    for text in SQL:
        request = {"name": "tasks", "organization": HOSPITAL, "output": "x"} | {option: text}
        session.refusal(request.pop("name"), **request)
        column = {"name": "export_name", "user": "requested_by", "file_format": "format"}.get(option, option)
        assert session.warehouse.value(f"select {column} from {AUDIT} order by export_audit_id desc limit 1") == text
    assert session.warehouse.value("select count(*) from insights.fact_tasks") == before


def test_texts_that_postgresql_cannot_keep_are_recorded_all_the_same(session: ExportSession) -> None:
    for text in ("a\0b", "a\udcffb", "x" * 10_000):
        with pytest.raises(InsightsError):
            session.export(text)
        assert session.audit()[-1] == "refused"


def test_sql_in_a_date_begins_nothing(session: ExportSession) -> None:
    events = len(session.audit())
    for option in ("--from", "--to"):
        command = [sys.executable, "-c", "from orchestration.cli import main; main()", "export", "tasks", "--org"]
        command += [HOSPITAL, "--user", session.user(), "--output", "x", "--from", "2025-01-01", "--to", "2026-01-01"]
        done = subprocess.run([*command, option, SQL[0]], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "does not match the format" in done.stderr
    assert len(session.audit()) == events


def test_a_function_of_ones_own_in_the_place_of_sha256(own_session: ExportSession) -> None:
    # The ETL role may make functions in its schemas and set its own search_path: masks that mask nothing.
    with connect_as(own_session.warehouse.etl_url) as connection:
        connection.execute("create function insights_staging.sha256(bytea) returns bytea language sql as 'select $1'")
        connection.execute(
            f"alter role orgo_insights_etl in database {own_session.warehouse.name}"
            " set search_path = insights_staging, pg_catalog"
        )
    keys = dict(own_session.warehouse.rows("select case_id::text, source_keys from insights.dim_cases"))
    organization = own_session.organization_id()
    for row in own_session.rows("cases", file_format="jsonl"):
        assert row["source_keys"] == sorted(mask(key, organization) for key in keys[row["case_id"]])


# Rows that may not leave as rows


def test_restricted_and_anonymised_rows_although_the_configuration_allows_them(own_session: ExportSession) -> None:
    query = "select task_id::text, visibility from insights.fact_tasks where organization_id = %s"
    own_session.warehouse.execute(
        "update insights.fact_tasks set visibility = 'ANONYMISED' where task_id in"
        " (select task_id from insights.fact_tasks where visibility = 'RESTRICTED' limit 50)"
    )
    visibility = dict(own_session.warehouse.rows(query, own_session.organization_id()))
    generous = own_session.changed(allowed_visibilities=["PUBLIC", "INTERNAL", "RESTRICTED", "ANONYMISED"])
    rows = generous.rows("tasks", file_format="jsonl")
    assert {visibility[row["task_id"]] for row in rows} == set(VISIBLE)
    assert len(rows) == sum(v in VISIBLE for v in visibility.values())
    assert {"RESTRICTED", "ANONYMISED"} <= set(visibility.values())
    # Nor do they become cells that nothing is left out of.
    cells = generous.rows("monthly_task_totals", file_format="jsonl")
    assert min(cell["tasks"] for cell in cells if cell["visibility"] in STRICT) >= 5


@pytest.mark.parametrize("visibility", [*STRICT, "CONFIDENTIAL"])
def test_a_stricter_row_of_a_joined_relation(own_session: ExportSession, visibility: str) -> None:
    rows = own_session.rows("cases", file_format="jsonl")
    victim = rows[0]["case_id"]
    own_session.warehouse.execute(
        f"update insights.dim_cases set visibility = '{visibility}' where case_id = '{victim}'"
    )
    left = {row["case_id"] for row in own_session.rows("cases", file_format="jsonl")}
    assert left == {row["case_id"] for row in rows} - {victim}


EVER = {"since": date(2000, 1, 1), "until": date(2100, 1, 1), "file_format": "jsonl"}


def _case_of_task(session: ExportSession) -> dict[str, str | None]:
    return dict(session.warehouse.rows("select task_id::text, case_id::text from insights.dim_tasks"))


@pytest.mark.parametrize("allowed", [("PUBLIC", "INTERNAL"), ("PUBLIC",), ("INTERNAL",)])
def test_which_tasks_belong_together_by_a_case_that_may_not_leave(
    session: ExportSession, allowed: tuple[str, ...]
) -> None:
    asking = session.changed(allowed_visibilities=list(allowed))
    cases = {row["case_id"] for row in asking.rows("cases", **EVER)}
    case_of, kept, hidden = _case_of_task(session), 0, 0
    rows = asking.rows("tasks", **EVER)
    assert {row["visibility"] for row in rows} <= set(allowed)
    for row in rows:
        case_id = case_of[row["task_id"]]
        assert row["case_id"] == (case_id if case_id in cases else None)
        kept += row["case_id"] is not None
        hidden += case_id is not None and row["case_id"] is None
    assert kept > 0
    assert hidden > 100
    as_texts = {r["task_id"]: r["case_id"] for r in asking.rows("tasks", **EVER | {"file_format": "csv"})}
    assert as_texts == {row["task_id"]: row["case_id"] or "" for row in rows}


@pytest.mark.parametrize(
    "change",
    [
        "update insights.fact_cases set visibility = 'RESTRICTED'",
        "update insights.dim_cases set visibility = 'ANONYMISED'",
        "update insights.dim_cases set visibility = 'CONFIDENTIAL'",
        "update insights.fact_cases set organization_id = '{other}'",
        "delete from insights.fact_cases",
    ],
)
def test_a_case_that_stopped_leaving_is_named_by_no_task_and_no_pattern(
    own_session: ExportSession, change: str
) -> None:
    patterns = {row["pattern_id"]: row for row in own_session.rows("patterns_weekly", **EVER)}
    tasks = {row["task_id"]: row["case_id"] for row in own_session.rows("tasks", **EVER)}
    longest = max((row["case_ids"] for row in patterns.values()), key=len)
    assert len(longest) >= 3
    victim = next(c for c in longest if c in tasks.values())
    statement = change.format(other=own_session.organization_id(STORES))
    own_session.warehouse.execute(f"{statement} where case_id = '{victim}'")
    after = own_session.rows("tasks", **EVER)
    assert {row["task_id"]: row["case_id"] for row in after} == {
        task_id: None if case_id == victim else case_id for task_id, case_id in tasks.items()
    }
    # The patterns themselves still leave; of each, the other cases are left, in the same order.
    changed = 0
    for row in own_session.rows("patterns_weekly", **EVER):
        before = patterns.pop(row["pattern_id"])["case_ids"]
        assert row["case_ids"] == [case_id for case_id in before if case_id != victim]
        changed += row["case_ids"] != before
    assert changed > 0
    assert not patterns


# What is left out of aggregates


def test_neighbouring_ranges_subtracted_from_each_other(session: ExportSession) -> None:
    for name in AGGREGATES:
        whole, first, second = (
            session.rows(name, since=date(*since), until=date(*until), file_format="jsonl")
            for since, until in (
                ((2024, 6, 1), (2025, 6, 1)),
                ((2024, 6, 1), (2024, 11, 1)),
                ((2024, 11, 1), (2025, 6, 1)),
            )
        )
        assert first + second == whole
        # A range that is a month and a day would add that day's rows to a cell.
        assert "first days of months" in session.refusal(name, since=date(2024, 6, 1), until=date(2024, 7, 2))


def test_totals_minus_subgroups(session: ExportSession) -> None:
    """Rows and cells are exported by the same visibilities, so that a difference between them reveals nothing."""
    for rows_of, cells_of, day in (
        ("tasks", "monthly_task_totals", "created_date_key"),
        ("cases", "monthly_case_totals", "opened_date_key"),
    ):
        rows = session.rows(rows_of, since=date(2024, 2, 1), file_format="jsonl")
        domain = "type" if rows_of == "tasks" else "domain"
        counted = Counter((f"{r[day][:7]}-01", r[domain], r["severity"], r["visibility"]) for r in rows)
        cells = session.rows(cells_of, file_format="jsonl")
        visible = {
            (c["month"], c["domain"], c["severity"], c["visibility"]): c[rows_of]
            for c in cells
            if c["visibility"] in VISIBLE
        }
        assert visible == counted
        # No row is a total over others: each has its own cell, and none lacks a part of the grain.
        grain = [(c["month"], c["domain"], c["severity"], c["visibility"]) for c in cells]
        assert len(set(grain)) == len(grain)
        assert all(None not in (month, severity, visibility) for month, _, severity, visibility in grain)


def test_tasks_that_may_not_leave_by_what_is_counted_of_their_case(own_session: ExportSession) -> None:
    """What a case says of its tasks, less the tasks that leave, would be the number of the others."""
    strict = (
        "select count(*) from insights.fact_cases as c join insights.dim_tasks as t using (case_id)"
        " where c.visibility in ('PUBLIC', 'INTERNAL') and t.visibility not in ('PUBLIC', 'INTERNAL')"
        " and c.organization_id = %s"
    )
    assert own_session.warehouse.value(strict, own_session.organization_id()) > 0
    before = own_session.rows("cases", file_format="jsonl")
    own_session.warehouse.execute(
        "update insights.fact_cases set linked_task_count = linked_task_count + 1,"
        " escalation_count = escalation_count + 1, review_count = review_count + 1"
    )
    after = own_session.rows("cases", file_format="jsonl")
    assert sorted(map(str, after)) == sorted(map(str, before))


def test_a_small_group_through_the_visibility_dimension(own_session: ExportSession) -> None:
    def cells() -> dict[str, int]:
        rows = own_session.rows(
            "monthly_task_totals", since=date(2025, 3, 1), until=date(2025, 4, 1), file_format="jsonl"
        )
        return {r["visibility"]: r["tasks"] for r in rows if (r["domain"], r["severity"]) == ("lonely", "MINOR")}

    organization = own_session.organization_id()
    ids = [
        task_id
        for (task_id,) in own_session.warehouse.rows(
            "select task_id::text from insights.fact_tasks where organization_id = %s limit 9", organization
        )
    ]
    with connect_as(own_session.warehouse.admin_url) as connection:
        for number, task_id in enumerate(ids):
            visibility = "ANONYMISED" if number < 4 else "RESTRICTED"
            connection.execute(
                "update insights.fact_tasks set created_date_key = '2025-03-05', severity = 'MINOR', visibility = %s"
                " where task_id = %s",
                [visibility, task_id],
            )
            connection.execute(
                "update insights.dim_tasks set type = 'lonely', visibility = %s where task_id = %s",
                [visibility, task_id],
            )
        assert cells() == {"RESTRICTED": 5}
        # The dimension is stricter than the fact: the row is what the stricter one says, and both cells are small.
        connection.execute("update insights.dim_tasks set visibility = 'ANONYMISED' where task_id = %s", [ids[4]])
        assert cells() == {"ANONYMISED": 5}


def test_many_checkins_of_one_person_are_no_group(own_session: ExportSession) -> None:
    organization = own_session.organization_id()
    own_session.warehouse.execute(
        "update insights.fact_wellbeing_checkins as c set date_key = '2025-03-05', learning_group_id = null,"
        " visibility = 'RESTRICTED', person_id = (select person_id from insights.dim_persons"
        f" where organization_id = '{organization}' limit 1) where organization_id = '{organization}'"
        " and (date_key >= '2025-03-01' and date_key < '2025-04-01')"
    )
    rows = own_session.rows("monthly_checkin_totals", since=date(2025, 3, 1), until=date(2025, 4, 1))
    assert rows == []
    assert (
        own_session.warehouse.value(
            "select count(*) from insights.fact_wellbeing_checkins"
            " where organization_id = %s and date_key = '2025-03-05'",
            organization,
        )
        > 5
    )


def test_the_score_of_each_where_all_have_the_same(own_session: ExportSession) -> None:
    def cells() -> list[tuple[int, float | None]]:
        march = {"since": date(2025, 3, 1), "until": date(2025, 4, 1)}
        rows = own_session.rows("monthly_checkin_totals", **march, file_format="jsonl")
        return [(r["checkins"], r["mean_score"]) for r in rows if r["learning_group"] is None]

    organization = own_session.organization_id()
    own_session.warehouse.execute(
        "delete from insights.fact_wellbeing_checkins where organization_id ="
        f" '{organization}' and date_key between '2025-03-01' and '2025-03-31'"
    )
    six = (
        "select min(checkin_id::text)::uuid from insights.fact_wellbeing_checkins"
        f" where organization_id = '{organization}' and person_id is not null group by person_id order by 1 limit 6"
    )
    ids = [row[0] for row in own_session.warehouse.rows(six)]
    with connect_as(own_session.warehouse.admin_url) as connection:
        connection.execute(
            "update insights.fact_wellbeing_checkins set date_key = '2025-03-05', learning_group_id = null, score = 7,"
            " visibility = 'RESTRICTED' where checkin_id = any(%s)",
            [ids],
        )
        assert cells() == [(6, None)]
        connection.execute("update insights.fact_wellbeing_checkins set score = 1 where checkin_id = %s", [ids[0]])
        assert cells() == [(6, 6.0)]  # (5 * 7 + 1) / 6


def test_the_current_month_and_one_that_is_partly_out_of_retention(own_session: ExportSession) -> None:
    for name in AGGREGATES:
        rows = own_session.rows(name, since=date(2023, 1, 1), until=date(2027, 1, 1))
        # As of 2026-01-01, 730 days reach back to 2024-01-02.
        assert min(row["month"] for row in rows) == "2024-02-01"
        assert max(row["month"] for row in rows) == "2025-12-01"
    own_session.warehouse.execute("update insights_ops.load_log set horizon = '2025-12-31'")
    rows = own_session.rows("monthly_task_totals", since=date(2025, 11, 1), until=date(2026, 1, 1))
    assert {row["month"] for row in rows} == {"2025-11-01"}


def test_formats_mixed(session: ExportSession) -> None:
    for name in AGGREGATES:
        csv_rows, gz_rows, json_rows = (session.rows(name, file_format=f) for f in ("csv", "csv.gz", "jsonl"))
        assert csv_rows == gz_rows
        as_text = [{k: "" if v is None else str(v) for k, v in row.items() if k != "mean_score"} for row in json_rows]
        assert [{k: v for k, v in row.items() if k != "mean_score"} for row in csv_rows] == as_text


# Masks


def test_sorting_or_filtering_by_a_masked_column(session: ExportSession) -> None:
    # There is no such question: these are all the options that there are.
    options = {option for parameter in export_command.params for option in parameter.opts}
    assert options == {"name", "--org", "--from", "--to", "--format", "--user", "--output"}
    # And an array of masks is in the order of the masks, not of what they mask.
    arrays = [row["source_keys"] for row in session.rows("cases", file_format="jsonl")]
    assert max(map(len, arrays)) > 1
    assert arrays == [sorted(array) for array in arrays]


def test_guessing_a_mask_with_a_known_value_but_without_the_key(session: ExportSession) -> None:
    rows = session.rows("cases", file_format="jsonl")
    masks = {element for row in rows for element in row["source_keys"]}
    organization = session.organization_id()
    known = {key for (keys,) in session.warehouse.rows("select source_keys from insights.dim_cases") for key in keys}
    guesses = set()
    for value in known:
        data = value.encode()
        guesses |= {hashlib.sha256(data).hexdigest()[:32], hashlib.md5(data).hexdigest()}  # noqa: S324
        guesses |= {hmac.new(k, data, "sha256").hexdigest()[:32] for k in (b"", organization.encode(), KEY.encode())}
    assert masks & guesses == set()
    assert masks <= {mask(value, organization) for value in known}


def test_guessing_a_mask_by_exporting_another_organization(own_session: ExportSession) -> None:
    own_session.warehouse.execute("update insights.dim_cases set source_keys = array['user:the same']")
    masks = {
        slug: {
            tuple(r["source_keys"])
            for r in own_session.rows("cases", organization=slug, user=own_session.user(slug), file_format="jsonl")
        }
        for slug in (HOSPITAL, STORES, CLUB)
    }
    assert [len(found) for found in masks.values()] == [1, 1, 1]
    assert len(set.union(*masks.values())) == 3


def test_a_key_that_one_knows_makes_other_masks(session: ExportSession, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {element for row in session.rows("cases", file_format="jsonl") for element in row["source_keys"]}
    monkeypatch.setenv("INSIGHTS_EXPORT_KEY", "k" * 32)
    after = {element for row in session.rows("cases", file_format="jsonl") for element in row["source_keys"]}
    assert len(before) == len(after) > 100
    assert before & after == set()
    for key in ("", "k" * 31):
        monkeypatch.setenv("INSIGHTS_EXPORT_KEY", key)
        says = session.refusal("cases")
        assert "INSIGHTS_EXPORT_KEY" in says
        assert "kkk" not in says


def _secrets(organization_id: str) -> list[str]:
    """The key, the organization's own key and its blocks, in the ways in which they could be written."""
    blocks = key_blocks(KEY.encode(), UUID(organization_id))
    own = hmac.digest(KEY.encode(), organization_id.encode(), "sha256")
    return [KEY, KEY.encode().hex(), own.hex(), blocks.inner.hex()[:40], blocks.outer.hex()[:40]]


def test_the_key_in_the_servers_log_and_in_pg_stat_activity(
    own_session: ExportSession, postgres: LocalPostgres
) -> None:
    session = own_session
    log = postgres.socket_dir / "log"
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_min_error_statement = 'debug5'"):
        session.warehouse.execute(f"alter database {session.warehouse.name} set {setting}")
    start, seen, finished = log.stat().st_size, set[str](), threading.Event()

    def poll() -> None:
        with connect_as(session.warehouse.admin_url) as connection:
            while not finished.is_set():
                seen.update(q for (q,) in connection.execute("select query from pg_stat_activity") if q)

    def until_seen(done: int, rows: int) -> None:
        deadline = time.monotonic() + 120
        while not any("row_to_json(export)" in query for query in seen.copy()):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    watcher = threading.Thread(target=poll)
    watcher.start()
    errors = []
    try:
        run_export(session.settings, session.definitions, session.request("cases", file_format="jsonl"), until_seen)
        for file_format in ("csv", "csv.gz", "jsonl"):
            done = session.export("cases", file_format=file_format)
            session.export("tasks", file_format=file_format)
        errors.append(session.refusal("cases", user=session.user(STORES)))
        errors.append(session.changed(max_rows_per_export=1).refusal("cases"))
    finally:
        finished.set()
        watcher.join()
    logged = log.read_bytes()[start:].decode(errors="replace")
    manifest = Path(f"{done.location}.manifest.json").read_text("utf-8")
    audit = str(session.warehouse.rows(f"select a::text from {AUDIT} as a"))
    # The log does show what is bound and every statement, so it would show a key that was bound.
    assert f"$1 = '{HOSPITAL}'" in logged
    assert "copy pg_temp.export_key from stdin (format binary)" in logged
    assert any("row_to_json(export)" in query for query in seen)
    for secret in _secrets(session.organization_id()):
        for text in (logged, manifest, audit, *seen, *errors):
            assert secret.lower() not in text.lower()


def test_the_key_in_dbts_target_folder(session: ExportSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    command = [sys.executable, "-c", "from orchestration.cli import main; main()", "export", "cases", "--org", HOSPITAL]
    command += ["--user", session.user(), "--output", "x", "--from", "2025-01-01", "--to", "2026-01-01"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [file for folder in ("target", "logs") for file in (tmp_path / folder).rglob("*") if file.is_file()]
    assert len(files) > 2
    written = [file.read_bytes() for file in files] + [done.stdout.encode(), done.stderr.encode()]
    for secret in _secrets(session.organization_id()):
        assert [text for text in written if secret.encode() in text] == []


def test_the_key_in_the_temporary_table_of_another_session(session: ExportSession) -> None:
    waiting = session.start("tasks", "waits")
    try:
        assert waiting.stdout
        assert waiting.stdout.readline() == "streaming\n"
        places = "select relnamespace::regnamespace::text from pg_class where relname = 'export_key'"
        ((place,),) = session.warehouse.rows(places)
        for url in (session.warehouse.etl_url, session.warehouse.reader_url):
            with connect_as(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select * from {place}.export_key")
        # Not even a superuser: the rows are in the memory of the other session.
        with connect_as(session.warehouse.admin_url) as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(f"select * from {place}.export_key")
    finally:
        waiting.communicate("\n")
    assert waiting.returncode == 0


# Limits


def test_the_row_limit_by_format(session: ExportSession) -> None:
    few = session.changed(max_rows_per_export=100)
    for file_format in ("csv", "csv.gz", "jsonl"):
        assert "more than 100 rows" in few.refusal("tasks", file_format=file_format)


def test_twenty_parallel_starts(session: ExportSession, tmp_path: Path) -> None:
    """Each is a connection of its own, as on another machine; those that hold a slot wait until all have started."""
    gate = threading.Barrier(20)
    settings = session.changed(max_parallel_exports_per_user=3)
    user = session.user()

    def start(number: int) -> str:
        # The id of a user in another writing is the same user.
        request = settings.request("tasks", user=user.upper() if number % 2 else user, output=f"twenty_{number}")
        waited = threading.Event()

        def wait(done: int, rows: int) -> None:
            if not waited.is_set():
                waited.set()
                gate.wait(300)

        try:
            run_export(settings.settings, settings.definitions, request, wait)
        except InsightsError as error:
            gate.wait(300)
            return str(error)
        return "done"

    with ThreadPoolExecutor(20) as pool:
        outcomes = Counter(pool.map(start, range(20)))
    assert outcomes.pop("done") == 3
    ((says, number),) = outcomes.items()
    assert (number, "already runs as many exports" in says) == (17, True)
    assert len([name for name in session.files() if name.startswith("twenty_")]) == 6  # three, each with its manifest


def test_through_a_pooler(session: ExportSession, pooler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", pooler)
    assert "leads to a connection pooler" in replace(session, settings=replace(session.settings)).refusal("tasks")


# The audit


def test_editing_ones_own_row_of_the_audit(session: ExportSession) -> None:
    session.export("tasks")
    before = session.warehouse.rows(f"select a::text from {AUDIT} as a order by 1")
    statements = [
        f"update {AUDIT} set reason = 'x'",
        f"update {AUDIT} set requested_by = 'x'",
        f"delete from {AUDIT}",
        f"truncate {AUDIT}",
        f"drop table {AUDIT}",
        f"alter table {AUDIT} disable trigger all",
        f"alter table {AUDIT} owner to orgo_insights_etl",
        f"alter table {AUDIT} add column mine text",
        f"create rule quiet as on insert to {AUDIT} do instead nothing",
        f"create trigger quiet before insert on {AUDIT} execute function suppress_redundant_updates_trigger()",
        "drop index insights_ops.export_audit_end",
        "drop schema insights_ops cascade",
        f"insert into {AUDIT} (export_id, event, logged_at) values (gen_random_uuid(), 'refused', '2000-01-01')",
        f"insert into {AUDIT} (export_id, event, database_user) values (gen_random_uuid(), 'refused', 'somebody')",
        f"insert into {AUDIT} (export_audit_id) overriding system value values (1)",
        "alter role orgo_insights_ro rename to somebody",
        "set session authorization postgres",
        "set role postgres",
    ]
    with connect_as(session.warehouse.etl_url) as connection:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        connection.execute(f"grant all on {AUDIT} to orgo_insights_etl")  # a warning; nothing is granted
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"delete from {AUDIT}")
    with connect_as(session.warehouse.reader_url) as connection:
        for statement in (f"select * from {AUDIT}", f"select count(*) from {AUDIT}", statements[2]):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    assert session.warehouse.rows(f"select a::text from {AUDIT} as a order by 1") == before


def test_writing_a_second_end_for_a_try(session: ExportSession) -> None:
    session.export("tasks")
    given = (
        "requested_by, organization, export_name, format, output, from_date, to_date, is_masked, config_version,"
        " environment"
    )
    copy = (
        f"insert into {AUDIT} (export_id, event, reason, {given}) select export_id, %s, %s, {given} from {AUDIT}"
        " where event = 'finished' order by export_audit_id desc limit 1"
    )
    with connect_as(session.warehouse.etl_url) as connection:
        for event, reason in (("failed", "it never was"), ("refused", "it never was"), ("started", None)):
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(copy, [event, reason])
        with pytest.raises(psycopg.errors.CheckViolation):  # a finished one without size and hash
            connection.execute(copy, ["finished", None])


def test_lines_of_ones_own_in_what_the_audit_shows(session: ExportSession) -> None:
    forged = "x\n2026-01-01 00:00:00  finished  cases of sample-stores\x1b[2J\r\u202e\u2028"
    for option in ("organization", "user", "output", "name", "file_format"):
        request = {"name": "tasks", "organization": HOSPITAL, "output": "x"} | {option: forged}
        session.refusal(request.pop("name"), **request)
    shown = CliRunner().invoke(commands, ["exports", "audit", "--limit", "5"], color=True).stdout
    assert shown.count("x\\n2026-01-01 00:00:00  finished  cases of sample-stores\\x1b[2J\\r\\u202e\\u2028") >= 5
    lines = shown.split("\n")
    assert (len(lines), lines[-1]) == (5 * 3 + 1, "")
    assert all(line.isprintable() for line in lines)
    assert [line.split()[2] for line in lines if line and not line.startswith(" ")] == ["refused"] * 5


def test_a_role_that_is_renamed_keeps_its_name_in_the_audit(
    own_session: ExportSession, postgres: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = own_session
    session.warehouse.execute("create role passing login in role orgo_insights_etl")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", postgres.url(session.warehouse.name, "passing"))
    try:
        replace(session, settings=replace(session.settings)).export("tasks")
        session.warehouse.execute("alter role passing rename to innocent")
        users = session.warehouse.rows(f"select distinct database_user from {AUDIT}")
        assert users == [("passing",)]
    finally:
        session.warehouse.execute("drop role if exists innocent; drop role if exists passing")
