"""Test the sample: it is deterministic, loaded once, and has the declared number of ugly rows of each kind."""

# ruff: noqa: S608 -- all queries consist of literals of this file

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from orchestration.errors import InsightsError
from workshop.operational import create_operational_schema
from workshop.sample.drift import DRIFT
from workshop.sample.load import SAMPLE_AS_OF, SampleSummary, load_sample
from workshop.sample.rows import TABLES
from workshop.sample.scenario import NEVER_STAGED_MARKERS, PII_MARKERS
from workshop.sample.ugly import UGLY
from workshop.services.postgres import LocalPostgres

DOCS = Path(__file__).parents[3] / "docs" / "sample.md"
PARSES = r"btrim(label) ~ '^(1|2|11|101|1001|10|100|1000)\.[1-9][1-5](\.[^.\s]+)*$'"

# Counts each kind of ugly row, independently of the generator.
COUNTS = {
    "task_label_unparsable": "select count(*) from tasks where not " + PARSES,
    "case_label_unparsable": "select count(*) from cases where not " + PARSES,
    "task_label_padded": "select count(*) from tasks where label <> btrim(label) and " + PARSES,
    "case_label_padded": "select count(*) from cases where label <> btrim(label) and " + PARSES,
    "task_metadata_null": "select count(*) from tasks where metadata is null",
    "task_metadata_empty_text": "select count(*) from tasks where metadata = ''",
    "task_metadata_empty_object": "select count(*) from tasks where metadata = '{}'",
    "task_metadata_garbage": "select count(*) from tasks"
    " where metadata <> '' and metadata !~ '^\\{(\"[a-z]+\": .+)?\\}$'",
    "task_severity_info": "select count(*) from tasks where severity = 'info'",
    "task_source_ui": "select count(*) from tasks where source = 'ui'",
    "task_source_import": "select count(*) from tasks where source = 'import'",
    "task_source_insight": "select count(*) from tasks where source = 'insight'",
    "case_severity_info": "select count(*) from cases where severity = 'info'",
    "case_source_email_thread": "select count(*) from cases where source_type = 'email_thread'",
    "task_status_unknown": "select count(*) from tasks where status not in"
    " ('PENDING', 'IN_PROGRESS', 'ON_HOLD', 'COMPLETED', 'FAILED', 'ESCALATED', 'CANCELLED')",
    "task_priority_unknown": "select count(*) from tasks where priority not in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')",
    "task_severity_unknown": "select count(*) from tasks"
    " where severity not in ('MINOR', 'MODERATE', 'MAJOR', 'CRITICAL', 'info')",
    "task_visibility_unknown": "select count(*) from tasks"
    " where visibility not in ('PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED')",
    "task_source_unknown": "select count(*) from tasks"
    " where source not in ('email', 'api', 'manual', 'sync', 'ui', 'import', 'insight')",
    "task_closed_before_created": "select count(*) from tasks where closed_at < created_at",
    "task_closed_at_on_open_status": "select count(*) from tasks"
    " where closed_at is not null and status not in ('COMPLETED', 'FAILED', 'CANCELLED')",
    "task_terminal_without_closed_at": "select count(*) from tasks"
    " where closed_at is null and status in ('COMPLETED', 'FAILED', 'CANCELLED')",
    "organization_timezone_null": "select count(*) from organizations where timezone is null",
    "organization_without_profile": "select count(*) from organizations"
    " where id not in (select organization_id from organization_profiles)",
    "label_shadows_global": "select count(*) from label_definitions as own"
    " join label_definitions as global using (code)"
    " where own.organization_id is not null and global.organization_id is null",
    "case_metadata_null": "select count(*) from cases where metadata is null",
    "case_location_null": "select count(*) from cases where location is null",
    "case_location_empty_object": "select count(*) from cases where location = '{}'",
    "case_location_empty_text": "select count(*) from cases where location = ''",
    "case_location_other_key_order": "select count(*) from cases as a where exists (select from cases as b"
    " where nullif(a.location, '')::jsonb = nullif(b.location, '')::jsonb and a.location like '{\"room\"%'"
    " and b.location like '{\"building\"%' and a.organization_id = b.organization_id"
    " and btrim(a.label) = btrim(b.label))",
    "case_visibility_unknown": "select count(*) from cases where metadata ->> 'visibility' not in"
    " ('PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED')",
    "case_without_tasks": "select count(*) from cases as c where not exists"
    " (select from tasks as t where t.case_id = c.id)",
    "case_from_insights": "select count(*) from cases where metadata ->> 'origin' = 'insights'",
    "event_of_unknown_task": "select count(*) from task_events where task_id not in (select id from tasks)",
    "event_before_creation": "select count(*) from task_events as e join tasks as t on t.id = e.task_id"
    " where e.created_at < t.created_at",
    "event_without_values": "select count(*) from task_events"
    " where event_type = 'status_changed' and old_value is null and new_value is null",
    "comment_duplicate": "select count(*) - count(distinct (task_id, author_user_id, body, created_at))"
    " from task_comments",
    "entity_label_of_unknown_entity": "select count(*) from entity_labels where entity_id not in"
    " (select id from tasks union select id from cases union select id from person_profiles"
    " union select id from learning_groups)",
    "checkin_anonymous_with_submitter": "select count(*) from wellbeing_checkins"
    " where person_id is null and submitted_by_user_id is not null",
    "task_before_window": "select count(*) from tasks where created_at < '2024-01-02 00:00+00'",
    "checkin_before_window": "select count(*) from wellbeing_checkins where created_at < '2024-01-02 00:00+00'",
    "task_after_as_of": "select count(*) from tasks where created_at >= '2026-01-01 00:00+00'",
    "case_after_as_of": "select count(*) from cases where created_at >= '2026-01-01 00:00+00'",
    "checkin_after_as_of": "select count(*) from wellbeing_checkins where created_at >= '2026-01-01 00:00+00'",
    "task_closed_after_as_of": "select count(*) from tasks where closed_at >= '2026-01-01 00:00+00'",
    "comment_after_as_of": "select count(*) from task_comments where created_at >= '2026-01-01 00:00+00'",
    "event_after_as_of": "select count(*) from task_events where created_at >= '2026-01-01 00:00+00'",
}

# Rows with a timestamp other than a deadline at or after SAMPLE_AS_OF: for tasks, 6 new and 3 closed ones, and so on.
ROWS_AFTER_AS_OF = {"tasks": 9, "cases": 2, "task_events": 13, "task_comments": 4, "wellbeing_checkins": 5}
DEADLINES = {"due_at", "reactivity_deadline_at"}


@pytest.fixture(scope="module")
def loaded(postgres: LocalPostgres) -> tuple[str, SampleSummary]:
    postgres.create_database("sample")
    url = postgres.url("sample", "postgres")
    with psycopg.connect(url) as connection:
        return url, load_sample(connection)


@pytest.fixture
def sample(loaded: tuple[str, SampleSummary]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(loaded[0]) as connection:
        yield connection
        connection.rollback()


def _one(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def _counts(connection: psycopg.Connection) -> dict[str, int]:
    return {table: _one(connection, f"select count(*) from {table}") for table in TABLES}


def _fingerprints(connection: psycopg.Connection) -> dict[str, str]:
    query = "select md5(string_agg(t::text, chr(10) order by id)) from"
    return {table: _one(connection, f"{query} {table} as t") for table in TABLES}


def _columns(connection: psycopg.Connection, kind: str) -> list[tuple[str, str]]:
    query = (
        "select table_name, column_name from information_schema.columns where table_schema = 'public' and udt_name = %s"
    )
    return list(connection.execute(query, [kind]))


def test_every_kind_is_counted_and_documented() -> None:
    documented = {kind: int(rows) for kind, rows in re.findall(r"^\| `(\w+)` \| (\d+) \|", DOCS.read_text(), re.M)}
    assert set(COUNTS) == set(UGLY)
    assert {kind: rows for kind, rows in documented.items() if kind in UGLY} == UGLY


def test_every_drift_has_a_reason() -> None:
    assert all(drift.statement.startswith("alter table ") and drift.why for drift in DRIFT)


@pytest.mark.services
@pytest.mark.parametrize("kind", sorted(COUNTS))
def test_the_sample_has_the_declared_number_of_ugly_rows(sample: psycopg.Connection, kind: str) -> None:
    assert _one(sample, COUNTS[kind]) == UGLY[kind]


@pytest.mark.services
def test_two_databases_get_the_same_rows(sample: psycopg.Connection, database: str) -> None:
    with psycopg.connect(database) as connection:
        load_sample(connection)
        assert _fingerprints(connection) == _fingerprints(sample)


@pytest.mark.services
def test_a_second_load_changes_nothing(loaded: tuple[str, SampleSummary], sample: psycopg.Connection) -> None:
    sample.commit()
    assert load_sample(sample) == loaded[1]
    # A transaction has an id only if it wrote something.
    assert _one(sample, "select pg_current_xact_id_if_assigned()::text") is None


@pytest.mark.services
def test_the_summary_counts_the_rows(loaded: tuple[str, SampleSummary], sample: psycopg.Connection) -> None:
    assert loaded[1].rows == _counts(sample)
    assert loaded[1].ugly == UGLY
    tables = _one(sample, "select count(*) from pg_tables where schemaname = 'public'")
    assert tables == len(TABLES), "a table of the contract is missing from the sample"


@pytest.mark.services
def test_only_declared_rows_are_at_or_after_as_of(sample: psycopg.Connection) -> None:
    as_of = datetime(SAMPLE_AS_OF.year, SAMPLE_AS_OF.month, SAMPLE_AS_OF.day, tzinfo=UTC)
    columns: dict[str, list[str]] = {}
    for table, column in _columns(sample, "timestamptz"):
        if column not in DEADLINES:
            columns.setdefault(table, []).append(column)
    query = sql.SQL("select count(*) from {} where greatest({}) >= %s")
    found = {}
    for table, names in columns.items():
        late = query.format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names)))
        row = sample.execute(late, [as_of]).fetchone()
        found[table] = row[0] if row else 0
    assert set(found) == set(TABLES)
    assert {table: rows for table, rows in found.items() if rows} == ROWS_AFTER_AS_OF


@pytest.mark.services
def test_clean_tasks_agree_with_their_events(sample: psycopg.Connection) -> None:
    last_status = (
        "select count(*) from tasks as t join lateral (select new_value ->> 'status' as status from task_events as e"
        " where e.task_id = t.id and new_value ? 'status' order by created_at desc limit 1) as e on true"
        " where e.status is distinct from t.status"
    )
    assert _one(sample, last_status) == UGLY["task_status_unknown"]
    escalations = (
        "select count(*) from tasks as t where escalation_level <>"
        " (select count(*) from task_events as e where e.task_id = t.id and e.event_type = 'escalated')"
    )
    assert _one(sample, escalations) == 0
    comments = (
        "select count(*) from task_comments as c full join task_events as e"
        " on e.task_id = c.task_id and e.new_value ->> 'comment_id' = c.id::text and e.created_at = c.created_at"
        " where (c.id is null) and e.event_type = 'comment_added' and e.task_id in (select id from tasks)"
        " or e.id is null"
    )
    assert _one(sample, comments) == 0
    created = (
        "select count(*) from tasks where id not in (select task_id from task_events where event_type = 'created')"
    )
    assert _one(sample, created) == 0


@pytest.mark.services
def test_resolved_cases_have_only_closed_tasks(sample: psycopg.Connection) -> None:
    unresolved_tasks = (
        "select count(*) from cases as c where (status in ('resolved', 'archived')) <> (exists"
        " (select from tasks as t where t.case_id = c.id) and not exists (select from tasks as t where t.case_id = c.id"
        " and t.status not in ('COMPLETED', 'FAILED', 'CANCELLED')))"
    )
    assert _one(sample, unresolved_tasks) == 0


@pytest.mark.services
@pytest.mark.parametrize(
    ("marker", "table", "column"),
    [
        ("SECRET-DESCRIPTION", "tasks", "description"),
        ("SECRET-DESCRIPTION", "cases", "description"),
        ("SECRET-BODY", "task_comments", "body"),
        ("SECRET-NOTES", "wellbeing_checkins", "notes"),
        ("SECRET-CONTACT", "user_accounts", "email"),
        ("SECRET-CONTACT", "person_profiles", "primary_contact_email"),
        ("SECRET-CONTACT", "person_profiles", "primary_contact_phone"),
        ("Person-Name", "person_profiles", "full_name"),
        ("Person-Name", "user_accounts", "display_name"),
        ("External-Ref", "person_profiles", "external_reference"),
        ("Task-Title", "tasks", "title"),
        ("Case-Title", "cases", "title"),
    ],
)
def test_every_personal_text_has_its_marker(sample: psycopg.Connection, marker: str, table: str, column: str) -> None:
    assert marker in NEVER_STAGED_MARKERS + PII_MARKERS
    query = "select count({0}), count({0}) filter (where not starts_with({0}, %s)) from {1}"
    counts = sql.SQL(query).format(sql.Identifier(column), sql.Identifier(table))
    filled, unmarked = sample.execute(counts, [marker]).fetchone() or (0, 0)
    assert filled > 0
    assert unmarked == 0


@pytest.mark.services
def test_all_dates_of_birth_are_in_one_year(sample: psycopg.Connection) -> None:
    years = "select array_agg(distinct extract(year from date_of_birth)::int) from person_profiles"
    assert _one(sample, years) == [1888, None]


@pytest.mark.services
def test_added_rows_are_ignored_and_missing_rows_are_reported(sample: psycopg.Connection) -> None:
    sample.execute(
        "insert into task_comments (id, task_id, body) select gen_random_uuid(), id, 'one more' from tasks limit 1"
    )
    load_sample(sample)
    sample.execute("delete from learning_group_memberships where left_at is not null")
    with pytest.raises(InsightsError, match="table learning_group_memberships has "):
        load_sample(sample)


@pytest.mark.services
def test_a_database_with_other_organizations_is_refused_unchanged(database: str) -> None:
    with psycopg.connect(database) as connection:
        create_operational_schema(connection)
        connection.execute("insert into organizations (id, slug, display_name) values (gen_random_uuid(), 'acme', 'A')")
        connection.commit()
        with pytest.raises(InsightsError, match="acme"):
            load_sample(connection)
        assert _one(connection, "select count(*) from organizations") == 1
        assert ("tasks", "subtype") in _columns(connection, "text"), "the drift was applied to a refused database"


@pytest.mark.services
def test_a_view_that_blocks_the_drift_is_reported(database: str) -> None:
    with psycopg.connect(database) as connection:
        create_operational_schema(connection)
        connection.execute("create view reader as select status from tasks")
        connection.commit()
        with pytest.raises(InsightsError, match="alter table tasks alter column status type text"):
            load_sample(connection)
        assert _one(connection, "select count(*) from organizations") == 0
