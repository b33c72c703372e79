-- The bookkeeping that dbt's models read and write, in Snowflake: the tables of scripts/objects.sql that they name, with the same
-- columns, and the writer lock. {ops} is their schema. Every statement is idempotent. Snowflake enforces no primary keys; they say what a row is.

create table if not exists {ops}.releases (
    release_number integer not null autoincrement start 1 increment 1 order,
    version varchar not null,
    scripts_sha256 varchar not null,
    prepared_at timestamp_tz(6) not null default current_timestamp(),
    prepared_by varchar not null
);

create table if not exists {ops}.load_log (
    load_log_id integer not null autoincrement start 1 increment 1 order,
    relation_name varchar not null,
    as_of date not null,
    horizon date not null,
    loaded_from timestamp_tz(6) not null,
    loaded_through timestamp_tz(6) not null,
    cutoff date not null,
    invocation_id varchar not null,
    environment varchar not null,
    logged_at timestamp_tz(6) not null default current_timestamp(),
    claim_number bigint,
    source_claim bigint
);

create table if not exists {ops}.source_counts (
    table_name varchar not null,
    row_count bigint not null,
    counted_at timestamp_tz(6) not null default current_timestamp(),
    newest_at timestamp_tz(6)
);

create table if not exists {ops}.source_fingerprints (
    table_name varchar not null,
    claim_number bigint not null,
    counted_until timestamp_tz(6) not null,
    id_sum bigint not null,
    rules varchar not null,
    unchanged_since bigint not null
);

create table if not exists {ops}.purge_log (
    purge_log_id integer not null autoincrement start 1 increment 1 order,
    relation_name varchar not null,
    retention_class varchar not null,
    as_of date not null,
    cutoff date not null,
    rows_purged bigint not null default 0,
    environment varchar not null,
    started_at timestamp_tz(6) not null default current_timestamp(),
    finished_at timestamp_tz(6)
);

create table if not exists {ops}.test_results (
    test_name varchar not null,
    status varchar not null,
    failures bigint not null,
    invocation_id varchar not null,
    logged_at timestamp_tz(6) not null default current_timestamp(),
    checked_through bigint,
    recounted_at timestamp_tz(6)
);

create table if not exists {ops}.counted_reports (
    relation_name varchar not null,
    counted_at timestamp_tz(6) not null
);

create table if not exists {ops}.former_rows (
    relation_name varchar not null,
    organization_id uuid not null,
    id uuid not null,
    replaced_at timestamp_tz(6) not null default current_timestamp(),
    contents varchar
);

create table if not exists {ops}.profiles (
    profile_code varchar not null,
    default_visibility varchar not null,
    reactivity_seconds integer not null,
    max_escalation_seconds integer not null,
    document varchar not null,
    updated_at timestamp_tz(6) not null default current_timestamp()
);

-- Secrets as hexadecimal digits.
create table if not exists {ops}.secret_keys (
    purpose varchar not null,
    secret varchar not null,
    created_at timestamp_tz(6) not null default current_timestamp()
);

-- The writer lock: whose token is in the row writes until the lease expires (decision D295).
create table if not exists {ops}.leases (
    lease_name varchar not null,
    lease_number bigint not null,
    holder varchar not null,
    token varchar not null,
    acquired_at timestamp_tz(6) not null,
    expires_at timestamp_tz(6) not null
);
