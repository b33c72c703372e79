-- The bookkeeping that dbt's models read and write, in BigQuery: the tables of scripts/objects.sql that they name, with the same
-- columns. {ops} is their schema. Every statement is idempotent. BigQuery has no sequences,
-- so that the numbers of rows are given by who writes them; those that are read are the moment in microseconds.

create table if not exists {ops}.releases (
    release_number int64 not null,
    version string not null,
    scripts_sha256 string not null,
    prepared_at timestamp default current_timestamp() not null,
    prepared_by string not null
);

create table if not exists {ops}.load_log (
    load_log_id int64 not null,
    relation_name string not null,
    as_of date not null,
    horizon date not null,
    loaded_from timestamp not null,
    loaded_through timestamp not null,
    cutoff date not null,
    invocation_id string not null,
    environment string not null,
    logged_at timestamp default current_timestamp() not null,
    claim_number int64,
    source_claim int64
);

create table if not exists {ops}.source_counts (
    table_name string not null,
    row_count int64 not null,
    counted_at timestamp default current_timestamp() not null,
    newest_at timestamp
);

create table if not exists {ops}.source_fingerprints (
    table_name string not null,
    claim_number int64 not null,
    counted_until timestamp not null,
    id_sum int64 not null,
    rules string not null,
    unchanged_since int64 not null
);

create table if not exists {ops}.purge_log (
    purge_log_id int64 not null,
    relation_name string not null,
    retention_class string not null,
    as_of date not null,
    cutoff date not null,
    rows_purged int64 default 0 not null,
    environment string not null,
    started_at timestamp default current_timestamp() not null,
    finished_at timestamp
);

create table if not exists {ops}.test_results (
    test_name string not null,
    status string not null,
    failures int64 not null,
    invocation_id string not null,
    logged_at timestamp default current_timestamp() not null,
    checked_through int64,
    recounted_at timestamp
);

create table if not exists {ops}.counted_reports (
    relation_name string not null,
    counted_at timestamp not null
);

create table if not exists {ops}.former_rows (
    relation_name string not null,
    organization_id string not null,
    id string not null,
    replaced_at timestamp default current_timestamp() not null,
    contents string
);

create table if not exists {ops}.profiles (
    profile_code string not null,
    default_visibility string not null,
    reactivity_seconds int64 not null,
    max_escalation_seconds int64 not null,
    document string not null,
    updated_at timestamp default current_timestamp() not null
);

-- Secrets as hexadecimal digits.
create table if not exists {ops}.secret_keys (
    purpose string not null,
    secret string not null,
    created_at timestamp default current_timestamp() not null
);
