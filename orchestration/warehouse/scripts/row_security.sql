-- Row-level security of the marts for readers, the logins that see the rows of one organization (decision D152). {ops} is the
-- schema of bookkeeping, {etl} the role that loads, {readers} the group of all readers; {ro_name} and {readers_name} are names
-- as texts. Every statement is idempotent.

create table if not exists {ops}.readers (
    role_name name primary key,
    organization_id uuid not null unique,
    added_at timestamptz not null default clock_timestamp()
);
comment on table {ops}.readers is 'One row for each login that sees the rows of one organization only.';

-- The policies read it as the reader, who may not use the schema and so cannot name it in a query.
do $$
begin
    if to_regclass('{ops}.reader_organizations') is null then
        create view {ops}.reader_organizations with (security_barrier) as
        select r.organization_id from {ops}.readers as r where r.role_name = current_user;
    end if;
end
$$;
comment on view {ops}.reader_organizations is 'The organization of the connected reader; no row for any other role.';

create or replace function {ops}.selectable_columns(relation regclass, role_name text) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
    from pg_attribute as a
    cross join aclexplode(a.attacl) as acl
    where
        a.attrelid = relation and not a.attisdropped
        and acl.grantee = to_regrole(quote_ident(role_name)) and acl.privilege_type = 'SELECT'
$$;
comment on function {ops}.selectable_columns(regclass, text) is 'The columns that are granted to a role, separated by commas.';

-- Waits as the macro lock_briefly does, but for a few seconds only: a load does not fail for a session that reads.
create or replace function {ops}.lock_table_briefly(relation regclass) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    former constant text := current_setting('lock_timeout');
begin
    for attempt in 1..10 loop
        begin
            perform set_config('lock_timeout', '250ms', true);
            execute format('lock table %s in access exclusive mode', relation);
            perform set_config('lock_timeout', former, true);
            return true;
        exception when lock_not_available then
            perform pg_sleep(0.5);
        end;
    end loop;
    return false;
end
$$;
comment on function {ops}.lock_table_briefly(regclass) is 'Locks a table in short attempts; false if other sessions hold it.';

-- The first policy lets every role see what its grants allow, as without policies; the second restricts readers.
create or replace function {ops}.restrict_table(relation regclass, condition text, policy text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    stored name[];
begin
    select coalesce(array_agg(p.polname order by p.polname), array[]::name[]) into stored
    from pg_policy as p where p.polrelid = relation and p.polname ~ '^insights_(everybody|readers)';
    if stored = array['insights_everybody', policy]::name[] and (select c.relrowsecurity from pg_class as c where c.oid = relation) then
        return true;
    end if;
    if not {ops}.lock_table_briefly(relation) then
        return false;
    end if;
    for place in 1..cardinality(stored) loop
        execute format('drop policy %I on %s', stored[place], relation);
    end loop;
    execute format('create policy insights_everybody on %s using (true)', relation);
    execute format('create policy %I on %s as restrictive to {readers} using (%s)', policy, relation, condition);
    execute format('alter table %s enable row level security', relation);
    return true;
end
$$;
comment on function {ops}.restrict_table(regclass, text, text) is
'Gives a table its policies, unless it has them; false if other sessions hold it.';

-- PostgreSQL has no policies for views and materialized views: readers get a view of their own.
create or replace function {ops}.restricted_view(relation regclass, condition text, columns text) returns regclass
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    view_name constant text := (
        select format('%s.%I', c.relnamespace::regnamespace, 'reader_' || c.relname) from pg_class as c where c.oid = relation
    );
    description constant text := format('Grain: that of %s, for a reader: %s', relation, condition);
    stored_columns constant text := (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_attribute as a where a.attrelid = to_regclass(view_name) and a.attnum > 0 and not a.attisdropped
    );
    comments text;
begin
    if stored_columns is distinct from columns or obj_description(to_regclass(view_name), 'pg_class') is distinct from description then
        execute format('drop view if exists %s', view_name);
        execute format('create view %s with (security_barrier) as select %s from %s where %s', view_name, columns, relation, condition);
        execute format('comment on view %s is %L', view_name, description);
    end if;
    select
        string_agg(format('comment on column %s.%I is %L', view_name, v.attname, col_description(relation, a.attnum)), '; ')
    into comments
    from pg_attribute as v
    inner join pg_attribute as a on a.attrelid = relation and a.attname = v.attname
    where
        v.attrelid = to_regclass(view_name) and v.attnum > 0 and not v.attisdropped
        and col_description(v.attrelid, v.attnum) is distinct from col_description(relation, a.attnum);
    if comments is not null then
        execute comments;
    end if;
    return to_regclass(view_name);
end
$$;
comment on function {ops}.restricted_view(regclass, text, text) is 'Makes the view through which readers see a relation that can have no policies.';

-- Called after each load of a mart, since a load may have made the relation again. One that is as it should be is only looked
-- at: no lock, no write to the catalog. Rights are given after the policies and taken before policies are replaced.
create or replace function {ops}.restrict_rows(relation regclass, shared text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    condition constant text := concat(
        case when shared = 'defaults' then 'organization_id is null or ' end,
        'organization_id = any (array(select o.organization_id from {ops}.reader_organizations as o))'
    );
    columns constant text := {ops}.selectable_columns(relation, {ro_name});
    has_organization constant boolean := exists (
        select from pg_attribute as a where a.attrelid = relation and a.attname = 'organization_id' and not a.attisdropped
    );
    is_table constant boolean := (select c.relkind in ('r', 'p') from pg_class as c where c.oid = relation);
    is_shown constant boolean := columns is not null and (has_organization or shared is not distinct from 'all');
    is_right boolean := is_shown;
    shown regclass := relation;
begin
    if is_right and has_organization and is_table then
        is_right := {ops}.restrict_table(relation, condition, concat_ws('_', 'insights_readers', shared));
    elsif is_right and has_organization then
        -- The read-only role sees all rows of it: a BI tool offers the view to everybody who connects (decision D152). Its organizations
        -- join those of readers, since an OR would keep readers from their index.
        shown := {ops}.restricted_view(
            relation,
            replace(
                condition,
                'reader_organizations as o',
                format(
                    'reader_organizations as o union select r.organization_id from %s as r'
                    ' where pg_has_role(current_user, to_regrole(%L)::oid, ''usage'')',
                    relation, quote_ident({ro_name})
                )
            ),
            columns
        );
        if {ops}.selectable_columns(shown, {ro_name}) is distinct from columns then
            execute format('grant select (%s) on %s to %I', columns, shown, {ro_name});
        end if;
    end if;
    if not is_right then
        execute format('revoke all on %s from {readers}', relation);
    elsif {ops}.selectable_columns(shown, {readers_name}) is distinct from columns then
        execute format('revoke all on %s from {readers}', shown);
        execute format('grant select (%s) on %s to {readers}', columns, shown);
    end if;
    return case when is_shown then is_right end;
end
$$;
comment on function {ops}.restrict_rows(regclass, text) is
'Lets readers select from a mart what the read-only role may, restricted to their organization; false if other sessions hold it, so that they may not now; NULL if readers are to see nothing of it.';

grant select on {ops}.readers, {ops}.reader_organizations to {etl};
grant select on {ops}.reader_organizations to {readers};
