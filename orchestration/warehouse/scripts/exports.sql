-- What exports need of the database besides the marts (decision D174). {ops} is the schema of bookkeeping, {etl} the role that loads,
-- {export} that of exports, {ro} that of dashboards; {etl_name}, {export_name} and {ops_name} are names as texts. Every statement is idempotent.

-- Slots and marks of exports are apart from the claims of writers, so that the role of exports can neither take nor free one of those.
create table if not exists {ops}.export_claims (like {ops}.claims including all);
comment on table {ops}.export_claims is 'The slots of users who export, and the exports that run: claims like those of writers.';

create or replace function {ops}.is_held(c {ops}.export_claims) returns boolean
language sql as $$ select {ops}.is_held(row(c.*)::{ops}.claims) $$;
comment on function {ops}.is_held({ops}.export_claims) is 'Whether the session that took a claim is alive and has not released it.';

-- The reporting service shows users what became of their own exports (decision D186). Its role reads no other row of the audit than
-- those that it asks for by organization and user; what failed, and why, is for operators.
create or replace function {ops}.own_exports(asked_organization uuid, asked_slug text, asked_user text, most integer)
returns table (
    export_id uuid, state text, logged_at timestamptz, export_name text, format text, output text, from_date date, to_date date,
    is_masked boolean, row_count bigint, byte_count bigint, sha256 text
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        newest.export_id,
        case
            when newest.event <> 'started' then newest.event
            when exists (
                select from {ops}.export_claims as c
                where c.claim_name = 'running export ' || newest.export_id::text and {ops}.is_held(c)
            ) then 'running'
            else 'aborted'
        end,
        newest.logged_at, newest.export_name, newest.format, newest.output, newest.from_date, newest.to_date,
        newest.is_masked, newest.row_count, newest.byte_count, newest.sha256
    from (
        select distinct on (a.export_id) a.*
        from {ops}.export_audit as a
        where
            (
                a.organization_id = asked_organization
                or (a.organization_id is null and a.organization in (asked_organization::text, asked_slug))  -- refused at once
            )
            and lower(a.requested_by) = lower(asked_user)
        order by a.export_id, a.export_audit_id desc
    ) as newest
    order by newest.export_audit_id desc
    limit most
$$;
comment on function {ops}.own_exports(uuid, text, text, integer) is
'The newest export attempts of one user for one organization, and what became of them.';
revoke execute on function {ops}.own_exports(uuid, text, text, integer) from public;
grant execute on function {ops}.own_exports(uuid, text, text, integer) to {ro};

-- HMAC-SHA256 with the two blocks that are derived from a key (RFC 2104), of which 128 bits remain. It is a function of its arguments:
-- who calls it learns nothing about the rows of a table.
create or replace function {ops}.mask(value text, inner_block bytea, outer_block bytea) returns text
language sql stable parallel safe as $$
    select left(encode(sha256(outer_block || sha256(inner_block || convert_to(value, 'UTF8'))), 'hex'), 32)
$$;
comment on function {ops}.mask(text, bytea, bytea) is 'The mask of a text with the blocks of a key.';

-- Without it, a session could mask names with a key of its own and compare them with the masks of names that it guesses. The role that
-- loads reads the names anyway. insights init stores the secret, which follows from INSIGHTS_EXPORT_KEY and does not reveal it.
create or replace function {ops}.prove_key(inner_block bytea, outer_block bytea, proof bytea) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if pg_has_role(session_user, {etl_name}, 'member') then
        return;
    end if;
    perform from {ops}.secret_keys as k
    where
        k.purpose = 'export_masks'
        and length(inner_block) = 64 and length(outer_block) = 64
        and proof = sha256(k.secret || sha256(k.secret || inner_block || outer_block));
    if not found then
        raise exception using
            errcode = 'insufficient_privilege', message = 'the key of the masks is not the one that insights init has stored';
    end if;
end
$$;
comment on function {ops}.prove_key(bytea, bytea, bytea) is
'Fails unless the blocks are made from the key that insights init has stored, or the session may read the names anyway.';

-- Makes a function that runs with the rights of the role that loads and that only exports may call, unless it is as it should be.
create or replace function {ops}.define_for_exports(function_name text, arguments text, result text, body text, description text)
returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    full_name constant text := format('%I.%I', {ops_name}, function_name);
    stored oid := (
        select p.oid from pg_proc as p
        where p.pronamespace = to_regnamespace(quote_ident({ops_name})) and p.proname = function_name
    );
begin
    perform from pg_proc as p
    where
        p.oid = stored and p.prosrc = body and p.prosecdef and pg_get_function_result(p.oid) = result
        and has_function_privilege({export_name}, p.oid, 'execute');
    if found then
        return;
    end if;
    if stored is not null then
        execute format('drop function %s', stored::regprocedure);
    end if;
    execute format(
        'create function %s(%s) returns %s language plpgsql stable security definer set search_path = pg_catalog, pg_temp as %L',
        full_name, arguments, result, body
    );
    execute format('alter function %s owner to {etl}', full_name);
    execute format('revoke execute on function %s from public', full_name);
    execute format('grant execute on function %s to {export}', full_name);
    execute format('comment on function %s is %L', full_name, description);
end
$$;
comment on function {ops}.define_for_exports(text, text, text, text, text) is
'Makes a function with the rights of the role that loads, for the role of exports alone, unless it is as it should be.';

-- `withheld` has the columns that exports may read masked only, each with its meta.pii; NULL means that no export reads the relation.
create or replace function {ops}.allow_exports(relation regclass, withheld jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    relation_name constant text := (select c.relname from pg_class as c where c.oid = relation);
    readable text;
    result text;
    expressions text;
begin
    select
        string_agg(quote_ident(c.attname), ', ' order by c.attnum) filter (where c.pii is null),
        format('TABLE(%s)', string_agg(
            format('%I %s', c.attname, case
                when c.pii is null then format_type(c.atttypid, null)
                when c.pii = 'birth_date' then 'date'
                when c.pii <> 'free_text' and c.is_array then 'text[]'
                else 'text'
            end), ', ' order by c.attnum
        )),
        string_agg(
            format(case
                when c.pii is null then 'm.%1$I'
                when c.pii = 'free_text' then 'case when m.%1$I is not null then ''[redacted]'' end'
                when c.pii = 'birth_date' then 'date_trunc(''year'', m.%1$I::timestamp)::date'
                when c.is_array then
                    'case when m.%1$I is not null then array('
                    'select {ops}.mask(e.element::text, inner_block, outer_block) from unnest(m.%1$I) as e (element) order by 1) end'
                else '{ops}.mask(m.%1$I::text, inner_block, outer_block)'
            end, c.attname), ', ' order by c.attnum
        )
    into readable, result, expressions
    from (
        select a.attname, a.attnum, a.atttypid, withheld ->> a.attname as pii, t.typcategory = 'A' as is_array
        from pg_attribute as a
        inner join pg_type as t on a.atttypid = t.oid
        where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
    ) as c;
    if withheld is null then
        readable := null;
    end if;
    if {ops}.selectable_columns(relation, {export_name}) is distinct from readable then
        execute format('revoke all on %s from {export}', relation);
        if readable is not null then
            execute format('grant select (%s) on %s to {export}', readable, relation);
        end if;
    end if;
    if withheld <> jsonb '{{}}' then
        perform {ops}.define_for_exports(
            'masked_' || relation_name,
            'organization uuid, inner_block bytea, outer_block bytea, proof bytea',
            result,
            format(
                '#variable_conflict use_column
begin
    perform {ops}.prove_key(inner_block, outer_block, proof);
    return query select %s from %s as m where m.organization_id = organization;
end',
                expressions, relation
            ),
            format('The rows of an organization in %s, with masks in the place of personal columns.', relation)
        );
    elsif to_regproc(format('%I.%I', {ops_name}, 'masked_' || relation_name)) is not null then
        execute format('drop function %I.%I', {ops_name}, 'masked_' || relation_name);
    end if;
end
$$;
comment on function {ops}.allow_exports(regclass, jsonb) is
'Lets exports read a relation of the marts: columns that are not personal as they are, the others through a function that masks them.';

grant select, insert, update, delete on {ops}.export_claims to {etl}, {export};
grant usage on sequence {ops}.claim_numbers to {export};
grant select (relation_name, load_log_id, as_of, horizon, loaded_through, cutoff, logged_at) on {ops}.load_log to {export};
grant select (retention_class, cutoff) on {ops}.purge_log to {export};
grant select on {ops}.export_audit to {export};
grant execute on function
    {ops}.is_held({ops}.claims), {ops}.is_held({ops}.export_claims), {ops}.mask(text, bytea, bytea), {ops}.prove_key(bytea, bytea, bytea),
    {ops}.purge_cutoff(text), {ops}.raw_event_relations(), {ops}.retention_cutoff(text, date, integer)
to {etl}, {export};
