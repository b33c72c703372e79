-- What dbt's models need beside their own relations. {ops} is the schema of bookkeeping, {etl} and {ro} are the two roles of
-- the specification (section 3.1). Every statement can be run again.

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
create index if not exists load_log_relation on {ops}.load_log (relation_name, load_log_id desc);
comment on table {ops}.load_log is
'One row for each time a relation was loaded; the newest row of a relation is its watermark.';

create table if not exists {ops}.profiles (
    profile_code text primary key,
    default_visibility text not null,
    reactivity_seconds integer not null,
    max_escalation_seconds integer not null,
    document jsonb not null,
    updated_at timestamptz not null default now()
);
comment on table {ops}.profiles is 'config/organization_profiles.yaml, one row a profile.';

create table if not exists {ops}.review_deliveries (
    case_id uuid primary key,
    status text not null check (status in ('pending', 'sent', 'failed')),
    attempts integer not null,
    last_answer text not null,
    last_attempt_at timestamptz not null default now()
);
comment on table {ops}.review_deliveries is 'What became of each review request: one row a case that was tried.';

-- A value of a drifted column in the type that the contract wants, NULL when it cannot be read. PostgreSQL 15 has no
-- pg_input_is_valid; the block costs a subtransaction a row, and only drifted columns pay it.
create or replace function {ops}.try_cast(value text, wanted anyelement) returns anyelement
language plpgsql stable as $$
begin
    wanted := value;
    return wanted;
exception when others then
    return null;
end
$$;
comment on function {ops}.try_cast(text, anyelement) is 'The value in the type of the second argument, or NULL.';

grant select, insert on {ops}.load_log to {etl};
grant select, insert, update, delete on {ops}.profiles to {etl};
grant select, insert, update on {ops}.review_deliveries to {etl};
