-- What `insights init` can change in a database, read from the catalogs before and after a try: one row for each object or property,
-- with the object that it belongs to. %(schemas)s are the schemas of Insights, %(aside)s the pattern of those for relations that are
-- moved aside, %(source)s the schema of the operational tables, %(roles)s the roles.
with roles as (
    select * from pg_roles where rolname = any(%(roles)s)
),

schemas as (
    select *, oid::regnamespace::text as name from pg_namespace where nspname = any(%(schemas)s) or nspname ~ %(aside)s
),

relations as (
    select
        c.*,
        c.oid::regclass::text as name,
        case c.relkind
            when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' else 'table'
        end as kind
    from pg_class as c
    inner join schemas as s on c.relnamespace = s.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
),

functions as (
    select p.*, p.oid::regprocedure::text as name
    from pg_proc as p
    inner join schemas as s on p.pronamespace = s.oid
    where p.prokind in ('f', 'p')
),

source_relations as (
    select c.*, c.oid::regclass::text as name
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname = %(source)s and c.relkind in ('r', 'p', 'v', 'm', 'f')
),

columns as (
    select a.*, r.name as relation_name, format('%%s.%%I', r.name, a.attname) as name
    from pg_attribute as a
    inner join relations as r on a.attrelid = r.oid
    where a.attnum > 0 and not a.attisdropped and r.relkind <> 'S'
),

privileges as (
    select r.name, acl.*
    from relations as r
    cross join lateral aclexplode(r.relacl) as acl
    where acl.grantee <> r.relowner
    union all
    select s.name, acl.*
    from source_relations as s
    cross join lateral aclexplode(s.relacl) as acl
    where acl.grantee in (select oid from roles)
    union all
    select f.name, acl.*
    from functions as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as acl
    where acl.grantee <> f.proowner
    union all
    select s.name, acl.*
    from schemas as s
    cross join lateral aclexplode(s.nspacl) as acl
    where acl.grantee <> s.nspowner
    union all
    select n.oid::regnamespace::text, acl.*
    from pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as acl
    where n.nspname = %(source)s and acl.grantee in (select oid from roles)
    union all
    select 'database ' || quote_ident(d.datname), acl.*
    from pg_database as d
    cross join lateral aclexplode(d.datacl) as acl
    where d.datname = current_database() and acl.grantee in (select oid from roles)
),

column_privileges as (
    select c.relation_name as name, c.attnum, c.attname, acl.*
    from columns as c
    cross join lateral aclexplode(c.attacl) as acl
    union all
    select s.name, a.attnum, a.attname, acl.*
    from source_relations as s
    inner join pg_attribute as a on a.attrelid = s.oid
    cross join lateral aclexplode(a.attacl) as acl
    where acl.grantee in (select oid from roles)
)

select
    'role' as kind,
    quote_ident(rolname) as name,
    null as part_of,
    concat_ws(
        ', ',
        case when rolcanlogin then 'login' else 'nologin' end,
        case when rolconnlimit >= 0 then format('connection limit %%s', rolconnlimit) end
    ) as definition
from roles
union all
select
    'setting',
    format('%%s of %%I', split_part(setting, '=', 1), r.rolname),
    quote_ident(r.rolname),
    substr(setting, strpos(setting, '=') + 1)
from roles as r
inner join pg_db_role_setting as s on r.oid = s.setrole and s.setdatabase = 0
cross join lateral unnest(s.setconfig) as u (setting)
union all
select 'schema', name, null, 'owner ' || pg_get_userbyid(nspowner) from schemas
union all
select
    kind,
    name,
    (  -- the table of an identity column
        select d.refobjid::regclass::text
        from pg_depend as d
        where r.relkind = 'S' and d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype = 'i'
    ),
    concat_ws(
        '; ',
        'owner ' || pg_get_userbyid(relowner),
        case when relrowsecurity then 'row-level security' end,
        array_to_string(reloptions, ', '),
        case when relkind in ('v', 'm') then pg_get_viewdef(oid) end
    )
from relations as r
union all
select
    'column',
    c.name,
    c.relation_name,
    concat_ws(
        ' ',
        format_type(c.atttypid, c.atttypmod),
        case when c.attnotnull then 'not null' end,
        case when c.attidentity <> '' then 'generated as identity' end,
        'default ' || pg_get_expr(d.adbin, d.adrelid)
    )
from columns as c
left join pg_attrdef as d on c.attrelid = d.adrelid and c.attnum = d.adnum
union all
select 'constraint', format('%%I on %%s', c.conname, r.name), r.name, pg_get_constraintdef(c.oid)
from pg_constraint as c
inner join relations as r on c.conrelid = r.oid
union all
select 'index', i.indexrelid::regclass::text, r.name, pg_get_indexdef(i.indexrelid)
from pg_index as i
inner join relations as r on i.indrelid = r.oid
union all
select
    'policy',
    format('%%I on %%s', p.polname, r.name),
    r.name,
    concat_ws(' ', p.polpermissive, p.polcmd, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid))
from pg_policy as p
inner join relations as r on p.polrelid = r.oid
union all
select 'function', name, null, 'owner ' || pg_get_userbyid(proowner) || '; ' || pg_get_functiondef(oid)
from functions
union all
select
    'comment',
    coalesce(s.name, f.name, c.name, r.name),
    coalesce(s.name, f.name, r.name),
    d.description
from pg_description as d
left join schemas as s on d.classoid = 'pg_namespace'::regclass and d.objoid = s.oid
left join functions as f on d.classoid = 'pg_proc'::regclass and d.objoid = f.oid
left join relations as r on d.classoid = 'pg_class'::regclass and d.objoid = r.oid
left join columns as c on r.oid = c.attrelid and d.objsubid = c.attnum
where coalesce(s.oid, f.oid, r.oid) is not null
union all
select
    'privileges',
    format('on %%s to %%s', name, coalesce(quote_ident(nullif(grantee, 0)::regrole::text), 'public')),
    name,
    string_agg(lower(privilege_type), ', ' order by privilege_type)
from privileges
group by name, grantee
union all
select
    'privileges',
    format('%%s on columns of %%s to %%s', lower(privilege_type), name, coalesce(quote_ident(nullif(grantee, 0)::regrole::text), 'public')),
    name,
    string_agg(quote_ident(attname), ', ' order by attnum)
from column_privileges
group by name, grantee, privilege_type
