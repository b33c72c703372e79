{#- A query of the statements that give an empty table the columns and indexes of another, in order: is_before (whether they come before the
    rows), statement, and read_column, a column whose readers must be dropped first. The order of columns may differ. A column that the
    other table lacks stays, empty, as long as a view reads it; indexes that the project did not make stay unless they are unique. -#}
{% macro changes_of_table(table, made) %}
    {%- set name = table.include(database=false) -%}{#- a database's name may contain what `format` or a replacement interprets -#}
    with columns as (
        select
            a.attrelid,
            a.attname,
            a.attnotnull,
            format_type(a.atttypid, a.atttypmod) as type_name,
            exists (
                select from pg_depend as d
                where
                    d.refclassid = 'pg_class'::regclass and d.classid = 'pg_rewrite'::regclass
                    and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
            ) as is_read
        from pg_attribute as a
        where a.attrelid in ({{ sql_text(table) }}::regclass, {{ sql_text(made) }}::regclass) and a.attnum > 0 and not a.attisdropped
    ),

    indexes as (
        select
            i.indrelid,
            i.indisprimary,
            i.indisunique,
            i.indexrelid::regclass as index_name,
            pg_get_indexdef(i.indexrelid) as definition,
            format('%s %s', i.indisprimary, regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .*? USING ', ' ')) as shape,
            c.conname
        from pg_index as i
        left join pg_constraint as c on i.indexrelid = c.conindid and i.indrelid = c.conrelid and c.contype in ('p', 'u')
        where i.indrelid in ({{ sql_text(table) }}::regclass, {{ sql_text(made) }}::regclass)
    ),

    wanted as (select * from columns where attrelid = {{ sql_text(made) }}::regclass),

    stored as (select * from columns where attrelid = {{ sql_text(table) }}::regclass),

    changes as (
        select
            1 as step,
            case
                when conname is null then format('drop index %s', index_name)
                else format('alter table {{ name }} drop constraint %I', conname)
            end as statement,
            null as read_column
        from indexes as i
        where
            indrelid = {{ sql_text(table) }}::regclass and indisunique
            and not exists (select from indexes as w where w.indrelid = {{ sql_text(made) }}::regclass and w.shape = i.shape)
        union all
        select
            2,
            format(
                'alter table {{ name }} %s',
                case
                    when s.attname is null then format('add column %I %s', w.attname, w.type_name)
                    when w.attname is null and s.is_read then format('alter column %I drop not null', s.attname)
                    when w.attname is null then format('drop column %I', s.attname)
                    when s.type_name <> w.type_name then format('alter column %1$I drop not null, alter column %1$I type %2$s using null', w.attname, w.type_name)
                    else format('alter column %I drop not null', w.attname)
                end
            ),
            case when s.is_read and s.type_name <> w.type_name then s.attname end
        from wanted as w
        full join stored as s on w.attname = s.attname
        where
            s.attname is null
            or (w.attname is null and (s.attnotnull or not s.is_read))
            or s.type_name <> w.type_name
            or (s.attnotnull and not w.attnotnull)
        union all
        select
            3,
            format('alter table {{ name }} alter column %I set not null', w.attname),
            null
        from wanted as w
        left join stored as s on w.attname = s.attname
        where w.attnotnull and (not coalesce(s.attnotnull, false) or s.type_name <> w.type_name)
        union all
        select
            4,
            case
                when indisprimary then format('alter table {{ name }} add primary key %s', substring(definition from '\(.*\)'))
                else regexp_replace(definition, ' INDEX \S+ ON \S+ ', ' INDEX ON {{ name }} ')
            end,
            null
        from indexes as i
        where
            indrelid = {{ sql_text(made) }}::regclass
            and not exists (select from indexes as s where s.indrelid = {{ sql_text(table) }}::regclass and s.shape = i.shape)
    )

    select step < 3 as is_before, statement, read_column from changes order by step, statement
{% endmacro %}
