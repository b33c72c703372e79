-- What locks a table that exists, and what needs it. It comes last and looks first, so that readers and loads wait for a moment, and only
-- where something is missing. {ops} is the schema of bookkeeping, {etl} the role that loads, {export} that of exports.

-- Columns that are newer than their tables: `add column if not exists` would lock them where the column exists too.
do $$
declare
    added record;
begin
    for added in
        select v.* from (
            values
            -- The claim of the writer that wrote the row (claims.claim_number); NULL for a plain dbt. It never falls from one row to
            -- the next.
            ('{ops}.load_log'::regclass, 'claim_number', 'bigint'),
            -- The claim with which the source was read: for a mart, that of its delta table (decision D256).
            ('{ops}.load_log', 'source_claim', 'bigint'),
            -- The newest load (load_log_id) after which the test passed: its next run looks at what was written since. NULL: at
            -- everything.
            ('{ops}.test_results', 'checked_through', 'bigint'),
            -- When the test last passed over everything.
            ('{ops}.test_results', 'recounted_at', 'timestamptz'),
            -- When Orgo had last changed a row; NULL for a table that may rest (decision D255).
            ('{ops}.source_counts', 'newest_at', 'timestamptz'),
            -- The HMAC of a constant with the key of the masks (decision D154); NULL where nothing was masked.
            ('{ops}.export_audit', 'masking_key_id', 'text')
        ) as v (relation, name, type)
        left join pg_attribute as a on v.relation = a.attrelid and v.name = a.attname
        where a.attname is null
    loop
        execute format('alter table %s add column %I %s', added.relation, added.name, added.type);
    end loop;
end
$$;

-- Indexes. `create index if not exists` would lock the table against loads even where the index exists.
do $$
declare
    missing record;
begin
    for missing in
        select v.* from (
            values
            ('load_log_relation', 'index', 'load_log (relation_name, load_log_id desc)'),
            ('load_log_cutoff', 'index', 'load_log (relation_name, cutoff)'),
            ('former_rows_replaced', 'index', 'former_rows (replaced_at)'),
            ('backup_runs_kind', 'index', 'backup_runs (kind, ended_at desc)'),
            ('export_audit_start', 'unique index', 'export_audit (export_id) where event = ''started'''),
            ('export_audit_end', 'unique index', 'export_audit (export_id) where event <> ''started'''),
            -- What a user has exported today (decision D161).
            ('export_audit_user', 'index', 'export_audit (lower(requested_by), logged_at) where event = ''started''')
        ) as v (name, kind, definition)
        where to_regclass('{ops}.' || v.name) is null
    loop
        execute format('create %s %I on {ops}.%s', missing.kind, missing.name, missing.definition);
    end loop;
end
$$;

grant insert (
    export_id, event, requested_by, organization, organization_id, export_name, format, output, from_date, to_date, is_masked,
    masked_columns, masking_key_id, row_count, byte_count, sha256, reason, config_version, environment
) on {ops}.export_audit to {etl}, {export};
