-- The bookkeeping that dbt's models read and write, in a file of DuckDB: the tables of scripts/objects.sql that they name,
-- with the same columns; only `snapshots` is of a file alone. {ops} is their schema, {loads} and {purges} its sequences. Every statement is idempotent. Claims, audits and messages are
-- those of a server: the lock of the file is the lock of the writer, and nobody is served from it.

-- Unit tests name PostgreSQL's type.
create type if not exists jsonb as json;

create table if not exists {ops}.releases (
    release_number integer primary key,
    version varchar not null,
    scripts_sha256 varchar not null,
    prepared_at timestamptz not null default now(),
    prepared_by varchar not null
);

create sequence if not exists {ops}.load_log_ids;
create table if not exists {ops}.load_log (
    load_log_id bigint primary key default nextval({loads}),
    relation_name varchar not null,
    as_of date not null,
    horizon date not null,
    loaded_from timestamptz not null,
    loaded_through timestamptz not null,
    cutoff date not null,
    invocation_id varchar not null,
    environment varchar not null,
    logged_at timestamptz not null default now(),
    claim_number bigint,
    source_claim bigint
);

create table if not exists {ops}.source_counts (
    table_name varchar primary key,
    row_count bigint not null,
    counted_at timestamptz not null default now(),
    newest_at timestamptz
);

create table if not exists {ops}.source_fingerprints (
    table_name varchar not null,
    claim_number bigint not null,
    counted_until timestamptz not null,
    id_sum bigint not null,
    rules varchar not null,
    unchanged_since bigint not null,
    primary key (table_name, claim_number)
);

-- The snapshots that this file has read, and whose they were: the views read the newest one (decision D249).
create table if not exists {ops}.snapshots (
    moment timestamptz not null,
    organization_id uuid,
    organization varchar,
    source varchar,
    folder varchar not null,
    release varchar not null,
    prepared_at timestamptz not null default now()
);

-- Nothing purges a file of DuckDB: it is made from a snapshot, and is deleted with it. The table is read by what follows.
create sequence if not exists {ops}.purge_log_ids;
create table if not exists {ops}.purge_log (
    purge_log_id bigint primary key default nextval({purges}),
    relation_name varchar not null,
    retention_class varchar not null check (retention_class in ('raw_event', 'aggregated', 'pattern_result')),
    as_of date not null,
    cutoff date not null,
    rows_purged bigint not null default 0,
    environment varchar not null,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);

create table if not exists {ops}.test_results (
    test_name varchar primary key,
    status varchar not null check (status in ('pass', 'warn', 'fail', 'error')),
    failures bigint not null,
    invocation_id varchar not null,
    logged_at timestamptz not null default now(),
    checked_through bigint,
    recounted_at timestamptz
);

create table if not exists {ops}.counted_reports (
    relation_name varchar primary key,
    counted_at timestamptz not null
);

-- Without its primary key: DuckDB refuses a key that the same transaction has deleted.
create table if not exists {ops}.former_rows (
    relation_name varchar not null,
    organization_id uuid not null,
    id uuid not null,
    replaced_at timestamptz not null default now(),
    contents json
);

create table if not exists {ops}.profiles (
    profile_code varchar primary key,
    default_visibility varchar not null,
    reactivity_seconds integer not null,
    max_escalation_seconds integer not null,
    document json not null,
    updated_at timestamptz not null default now()
);

create table if not exists {ops}.secret_keys (
    purpose varchar primary key,
    secret blob not null check (octet_length(secret) = 32),
    created_at timestamptz not null default now()
);

-- Up to when the source is known. The clock of the computer may be days ahead of it.
create or replace macro {ops}.source_read_at() as (select max(snapshots.moment) from {ops}.snapshots);

-- The functions of the same names in scripts/objects.sql. A UTC date by way of the epoch, because DuckDB converts time zones only
-- with an extension.
create or replace macro {ops}.latest_as_of() as cast(make_timestamp(epoch_us({ops}.source_read_at())) as date) + 1;

create or replace macro {ops}.purge_cutoff(wanted_class) as (
    select coalesce(max(log.cutoff), cast('-infinity' as date)) from {ops}.purge_log as log where log.retention_class = wanted_class
);

create or replace macro {ops}.raw_event_relations() as ['dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins'];

create or replace macro {ops}.retention_cutoff(wanted_class, wanted_horizon, wanted_days) as greatest(
    wanted_horizon - wanted_days,
    {ops}.purge_cutoff(wanted_class),
    (
        select coalesce(max(log.cutoff), cast('-infinity' as date))
        from {ops}.load_log as log
        where wanted_class = 'raw_event' and list_contains({ops}.raw_event_relations(), log.relation_name)
    )
);

create or replace macro {ops}.opaque_id(wanted_text) as (
    select cast(left(sha256(k.secret || unhex(sha256(k.secret || encode(wanted_text)))), 32) as uuid)
    from {ops}.secret_keys as k
    where k.purpose = 'review_cases'
);
