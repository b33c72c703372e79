-- Tables and functions that dbt's models need in addition to their own relations. {ops} is the schema of bookkeeping, {etl}
-- and {ro} are the two roles of the specification (section 3.1). Every statement is idempotent. What exists is not locked, because
-- a dump may be reading it; what needs such a lock is in alterations.sql.

-- `insights init` adds a row when it is of another release than the last one, or has other scripts (decision D260). The number is no
-- identity, because a plan must not use one up.
create table if not exists {ops}.releases (
    release_number integer primary key,
    version text not null,
    scripts_sha256 text not null,
    prepared_at timestamptz not null default clock_timestamp(),
    prepared_by text not null default session_user
);
comment on table {ops}.releases is 'One row for each release that has prepared this database; the newest made its objects.';

create table if not exists {ops}.load_log (
    load_log_id bigint generated always as identity primary key,
    relation_name text not null,
    as_of date not null,
    horizon date not null,
    loaded_from timestamptz not null,
    loaded_through timestamptz not null,
    cutoff date not null,
    invocation_id text not null,
    environment text not null,
    logged_at timestamptz not null default clock_timestamp()
);
comment on table {ops}.load_log is
'One row for each time a relation was loaded; the newest row of a relation is its watermark.';

create table if not exists {ops}.source_counts (
    table_name text primary key,
    row_count bigint not null,
    counted_at timestamptz not null default clock_timestamp(),
    newest_at timestamptz
);
comment on table {ops}.source_counts is
'One row for each operational table: its number of rows and its newest change when the last load began (decisions D142 and D255).';

-- Whether old rows of the source have come or gone since a load (decision D256).
create table if not exists {ops}.source_fingerprints (
    table_name text not null,
    claim_number bigint not null,
    counted_until timestamptz not null,
    id_sum bigint not null,
    rules text not null,
    unchanged_since bigint not null,
    primary key (table_name, claim_number)
);
comment on table {ops}.source_fingerprints is
'One row for each of the larger operational tables and load: which of its rows are older than a moment, as a sum of hashed ids.';

create table if not exists {ops}.purge_log (
    purge_log_id bigint generated always as identity primary key,
    relation_name text not null,
    retention_class text not null check (retention_class in ('raw_event', 'aggregated', 'pattern_result')),
    as_of date not null,
    cutoff date not null,
    rows_purged bigint not null default 0,
    environment text not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
comment on table {ops}.purge_log is
'One row for each time a relation was purged; the greatest cutoff of a class is never gone back behind.';

create table if not exists {ops}.test_results (
    test_name text primary key,
    status text not null check (status in ('pass', 'warn', 'fail', 'error')),
    failures bigint not null,
    invocation_id text not null,
    logged_at timestamptz not null default clock_timestamp()
);
comment on table {ops}.test_results is 'One row for each data test: the newest result of it in this warehouse.';

-- Reports compare tasks with what they were when they were counted (decisions D197 and D215).
create table if not exists {ops}.counted_reports (
    relation_name text primary key,
    counted_at timestamptz not null
);
comment on table {ops}.counted_reports is
'One row for each report that follows former_rows: when the counts that it holds were made.';

create table if not exists {ops}.former_rows (
    relation_name text not null,
    organization_id uuid not null,
    id uuid not null,
    replaced_at timestamptz not null default now(),
    contents jsonb,
    primary key (relation_name, organization_id, id, replaced_at)
);
comment on table {ops}.former_rows is
'Rows of facts and dimensions as a report has counted them, where a load changed them since; the next load of the report deletes them.';

-- The DAGs record how each run ended, because Airflow's own database forgets: a run that is repeated has failed no more (D224).
create table if not exists {ops}.dag_outcomes (
    dag_id text primary key,
    run_id text not null,
    ended_at timestamptz not null,
    is_failing boolean not null,
    failing_since timestamptz,
    message text,
    failures bigint not null default 0,
    interval_end timestamptz,
    step_seconds jsonb not null,
    undelivered bigint not null default 0,
    undelivered_reason text
);
comment on table {ops}.dag_outcomes is
'One row for each DAG: its latest ended run, its failed runs since the beginning, and the latest interval that a run succeeded for.';

create table if not exists {ops}.backup_runs (
    backup_run_id bigint generated always as identity primary key,
    kind text not null check (kind in ('full', 'incremental', 'airflow')),
    environment text not null,
    started_at timestamptz not null,
    ended_at timestamptz not null default clock_timestamp(),
    label text,
    byte_count bigint,
    failure text,
    check ((label is null) = (failure is not null))
);
comment on table {ops}.backup_runs is 'One row for each backup that insights backup run made or failed to make.';

create table if not exists {ops}.backup_drills (
    backup_drill_id bigint generated always as identity primary key,
    environment text not null,
    started_at timestamptz not null,
    ended_at timestamptz not null default clock_timestamp(),
    target timestamptz,
    restored_until timestamptz,
    rpo_seconds double precision,
    rto_seconds double precision not null,
    step_seconds jsonb not null,
    relations_compared integer not null,
    failure text
);
comment on table {ops}.backup_drills is
'One row for each time a backup was restored to try it: what was measured, and why it failed, if it did.';

create table if not exists {ops}.profiles (
    profile_code text primary key,
    default_visibility text not null,
    reactivity_seconds integer not null,
    max_escalation_seconds integer not null,
    document jsonb not null,
    updated_at timestamptz not null default now()
);
comment on table {ops}.profiles is 'config/organization_profiles.yaml, one row a profile.';

-- What `insights publish` has copied here from a file of DuckDB (decision D263). A warehouse that loads write has no rows in them.
create table if not exists {ops}.publications (
    publication_id bigint generated always as identity primary key,
    loaded_through timestamptz not null,
    snapshot_moment timestamptz not null,
    source_id text,
    organization_id uuid,
    organization text,
    release text not null,
    environment text not null,
    claim_number bigint not null,
    published_at timestamptz not null default clock_timestamp()
);
comment on table {ops}.publications is
'One row for each time insights publish changed what is served: up to when changes are included, and whose.';

create table if not exists {ops}.published_relations (
    relation_name text primary key,
    schema_name text not null,
    identifier text not null,
    columns text[] not null,
    publication_id bigint not null,
    row_count bigint not null,
    checksum numeric not null,
    load_invocation_id text
);
comment on table {ops}.published_relations is
'One row for each relation that insights publish keeps equal to a file: its rows, their checksum and their load when they were last compared.';

create table if not exists {ops}.review_deliveries (
    case_id uuid primary key,
    status text not null check (status in ({statuses})),
    attempts integer not null,
    last_answer text not null,
    last_attempt_at timestamptz not null default now()
);
comment on table {ops}.review_deliveries is 'What became of each review request: one row a case that was tried.';

-- A digest is marked after it was sent: a killed run sends one again, with the same id (decision D253).
create table if not exists {ops}.digest_deliveries (
    digest_id uuid primary key,
    recipient text not null,
    organization_id uuid not null,
    cadence text not null check (cadence in ('weekly', 'monthly', 'yearly')),
    review_date date not null,
    channel text not null check (channel in ('mail', 'webhook')),
    status text not null check (status in ({statuses})),
    attempts integer not null,
    last_answer text not null,
    last_attempt_at timestamptz not null default now()
);
comment on table {ops}.digest_deliveries is 'What became of each digest: one row for each recipient and review that was tried.';

-- Neither role owns it. The ETL role inserts the facts of an attempt; the database adds the time and the connected user. An
-- attempt has at most one end, and rows are never changed.
create table if not exists {ops}.export_audit (
    export_audit_id bigint generated always as identity primary key,
    logged_at timestamptz not null default clock_timestamp(),
    database_user text not null default session_user,
    export_id uuid not null,
    event text not null check (event in ('started', 'finished', 'failed', 'refused')),
    requested_by text not null,
    organization text not null,
    organization_id uuid,
    export_name text not null,
    format text not null,
    output text not null,
    from_date date not null,
    to_date date not null,
    is_masked boolean not null,
    masked_columns text[],
    row_count bigint,
    byte_count bigint,
    sha256 text,
    reason text,
    config_version text not null,
    environment text not null,
    check ((reason is not null) = (event in ('failed', 'refused'))),
    check (event <> 'finished' or num_nulls(row_count, byte_count, sha256) = 0)
);
comment on table {ops}.export_audit is
'What became of every try to export: a row when bytes begin to leave, and one for how it ended or why it was refused.';

-- Only readers that serve all organizations may read it: with it, and access to Redis, one could plant answers.
create table if not exists {ops}.cache_key (
    is_only boolean primary key default true check (is_only),
    key bytea not null,
    made_at timestamptz not null default clock_timestamp()
);
insert into {ops}.cache_key (key)
select sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), 'UTF8'))
on conflict do nothing;
comment on table {ops}.cache_key is
'The key that seals the entries of the cache where INSIGHTS_CACHE_KEY is not set (decision D155).';

-- One row for each claim that was ever taken: the writer's, the review sender's, those of exports (decision D148).
create sequence if not exists {ops}.claim_numbers as bigint;
create table if not exists {ops}.claims (
    claim_name text primary key,
    claim_number bigint not null,
    backend_pid integer not null,
    backend_start timestamptz not null,
    database_user text not null,
    application_name text not null,
    command text not null,
    claimed_at timestamptz not null default clock_timestamp(),
    released_at timestamptz
);
comment on table {ops}.claims is
'Who holds what only one session may do; a claim is free when it was released or its session has ended.';

-- The columns of a session of another role may be hidden; its process and user are not.
create or replace function {ops}.is_held(c {ops}.claims) returns boolean
language sql as $$
    select
        c.released_at is null
        and exists (
            select from pg_stat_activity as a
            where
                a.pid = c.backend_pid
                and a.datname = current_database()
                and a.usename = c.database_user
                and coalesce(a.backend_start, c.backend_start) = c.backend_start
        )
$$;
comment on function {ops}.is_held({ops}.claims) is 'Whether the session that took a claim is alive and has not released it.';

-- Each writing transaction of dbt calls it first. The row stays locked until the transaction ends, so that no other process
-- takes the claim in between.
create or replace function {ops}.prove_claim(wanted_name text, wanted_number bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    holder text;
begin
    perform from {ops}.claims as c
    where c.claim_name = wanted_name and c.claim_number = wanted_number and c.released_at is null
    for share;
    if found then
        return;
    end if;
    select format('process %s (%s, %s, since %s, %s)', backend_pid, database_user, application_name, claimed_at::timestamptz(0), command)
    into holder
    from {ops}.claims where claim_name = wanted_name;
    raise exception using
        errcode = 'object_in_use',
        message = format(
            'This process has lost the claim "%s", because the session that held it has ended. It has passed to %s.',
            wanted_name, coalesce(holder, 'no other process')
        ),
        hint = 'Wait until that process has finished, then run the same command again: what was written whole stays.';
end
$$;
comment on function {ops}.prove_claim(text, bigint) is
'Fails unless the claim still has this number; it keeps the number until the transaction ends.';

-- The value of a drifted column in the type of the contract, NULL if it is invalid. PostgreSQL 15 has no pg_input_is_valid;
-- the exception block costs a subtransaction for each row, but only for drifted columns.
create or replace function {ops}.try_cast(value text, wanted anyelement) returns anyelement
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    wanted := value;
    return wanted;
exception when others then
    return null;
end
$$;
comment on function {ops}.try_cast(text, anyelement) is 'The value in the type of the second argument, or NULL.';

-- The latest allowed as_of: tomorrow. dbt, the purge and the gates of the DAGs call it.
create or replace function {ops}.latest_as_of() returns date
language sql stable set search_path = pg_catalog, pg_temp as $$
    select cast(now() at time zone 'UTC' as date) + 1
$$;
comment on function {ops}.latest_as_of() is 'The latest date that as_of may be: tomorrow, UTC.';

-- The highest cutoff that a retention class was ever purged with; -infinity if it never was.
create or replace function {ops}.purge_cutoff(wanted_class text) returns date
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(max(cutoff), '-infinity') from {ops}.purge_log where retention_class = wanted_class
$$;
comment on function {ops}.purge_cutoff(text) is 'The highest cutoff that a class was ever purged with.';

-- The marts whose loads read raw events: facts and their dimensions. A test compares them with the manifest.
create or replace function {ops}.raw_event_relations() returns text[]
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select array['dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins']
$$;
comment on function {ops}.raw_event_relations() is 'The marts whose loads move the cutoff of raw events.';

-- The first event date that a retention class keeps. It never moves back: an older horizon or a longer retention does not
-- restore rows before a cutoff that a purge, or for raw events a load of the facts or their dimensions, has used (decisions
-- D8, D29). A load of anything else reads no raw events and moves nothing.
create or replace function {ops}.retention_cutoff(wanted_class text, horizon date, days integer) returns date
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
    select greatest(
        horizon - days,
        {ops}.purge_cutoff(wanted_class),
        (
            select max(newest.cutoff)
            from unnest({ops}.raw_event_relations()) as r (relation_name)
            cross join lateral (
                select max(l.cutoff) as cutoff from {ops}.load_log as l where l.relation_name = r.relation_name
            ) as newest
            where wanted_class = 'raw_event'
        )
    )
$$;
comment on function {ops}.retention_cutoff(text, date, integer) is 'The first event date that a class of retention keeps.';

-- Made once and never changed: other keys give other ids. It belongs to backups of the database, and to nothing else.
create table if not exists {ops}.secret_keys (
    purpose text primary key,
    secret bytea not null check (length(secret) = 32),
    created_at timestamptz not null default clock_timestamp()
);
comment on table {ops}.secret_keys is 'One row for each key that must not leave the database.';
insert into {ops}.secret_keys (purpose, secret)
select 'review_cases', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
where not exists (select from {ops}.secret_keys where purpose = 'review_cases');

-- The keyed hash of a text, so that nobody without the key finds the text by trying. Two rounds with a key of fixed length, because
-- PostgreSQL has no HMAC. The key stays in the table: it is in no statement and in no log.
create or replace function {ops}.opaque_id(value text) returns uuid
language sql stable set search_path = pg_catalog, pg_temp as $$
    select cast(left(encode(sha256(k.secret || sha256(k.secret || convert_to(value, 'UTF8'))), 'hex'), 32) as uuid)
    from {ops}.secret_keys as k
    where k.purpose = 'review_cases'
$$;
comment on function {ops}.opaque_id(text) is 'The id that stands for a text in what leaves the warehouse; it cannot be traced back.';

grant select on {ops}.secret_keys, {ops}.releases to {etl};
grant select, insert on {ops}.load_log to {etl};
grant select, insert, update, delete on {ops}.claims to {etl};
grant usage on sequence {ops}.claim_numbers to {etl};
grant execute on function {ops}.is_held({ops}.claims), {ops}.prove_claim(text, bigint) to {etl};
-- Dashboards show the horizon of their load, and their cache entries record its id.
grant usage on schema {ops} to {ro};
grant select (load_log_id, relation_name, as_of, horizon, logged_at) on {ops}.load_log to {ro};
grant select on {ops}.cache_key to {etl}, {ro};
grant select, insert, update on {ops}.purge_log to {etl};
grant select, insert, update on {ops}.source_counts to {etl};
grant select, insert, update, delete on {ops}.source_fingerprints to {etl};
grant select, insert, update on {ops}.dag_outcomes to {etl};
grant select, insert on {ops}.backup_runs, {ops}.backup_drills to {etl};
grant select, insert on {ops}.publications to {etl};
grant select, insert, update, delete on {ops}.published_relations to {etl};
grant select, insert, update, delete on {ops}.profiles to {etl};
grant select, insert, update, delete on {ops}.test_results to {etl};
grant select, insert, update on {ops}.counted_reports to {etl};
grant select, insert, update, delete on {ops}.former_rows to {etl};
grant select, insert, update, delete on {ops}.review_deliveries, {ops}.digest_deliveries to {etl};
grant select on {ops}.export_audit to {etl};
