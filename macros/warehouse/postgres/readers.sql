{#- A query of the relations that read a relation, or one column of it, directly or through others: reader, is_own (whether this project made it), object_name. -#}
{% macro readers_of(relation, column=none) %}
    with recursive readers as (
        select r.ev_class as oid
        from pg_depend as d
        inner join pg_rewrite as r on d.objid = r.oid
        {%- if column %}
        inner join pg_attribute as a on d.refobjid = a.attrelid and d.refobjsubid = a.attnum and a.attname = {{ sql_text(column) }}
        {%- endif %}
        where
            d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
            and d.refobjid = {{ sql_text(relation) }}::regclass and r.ev_class <> d.refobjid
        union
        select r.ev_class
        from readers
        inner join pg_depend as d on d.refobjid = readers.oid
        inner join pg_rewrite as r on d.objid = r.oid
        where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and r.ev_class <> d.refobjid
    )

    select
        format('%s of %s', c.oid::regclass, pg_get_userbyid(c.relowner)) as reader,
        c.relowner = current_user::regrole
        and c.relnamespace::regnamespace::text in ('{{ target.schema }}', '{{ target.schema }}_staging', '{{ target.schema }}_personal', '{{ target.schema }}_ops') as is_own,
        case c.relkind when 'm' then 'materialized view' else 'view' end || ' if exists ' || c.oid::regclass as object_name
    from readers
    inner join pg_class as c on readers.oid = c.oid
    order by 1
{% endmacro %}

{#- Stops if relations that this project did not make read a relation, or a column of it, that cannot be kept. -#}
{% macro refuse_to_drop_readers(relation, column=none) %}
    {% set others = [] %}
    {% for row in run_query(readers_of(relation, column)).rows if not row['is_own'] %}{% do others.append(row['reader']) %}{% endfor %}
    {% if others %}
        {{ exceptions.raise_compiler_error(
            (relation ~ " must be replaced, because its query or columns changed" if not column else "The column " ~ column ~ " of " ~ relation ~ " has another type now")
            ~ ", and these relations read it: " ~ others | join(', ') ~ ". Drop them, run the load again, then create them again."
        ) }}
    {% endif %}
{% endmacro %}

{#- Drops the relations of this project that read a column; the models below make them again. -#}
{% macro drop_readers(relation, column) %}
    {% do refuse_to_drop_readers(relation, column) %}
    {% for row in run_query(readers_of(relation, column)).rows %}{% do run_query('drop ' ~ row['object_name'] ~ ' cascade') %}{% endfor %}
{% endmacro %}

{#- Drops a relation that cannot be kept, unless relations of others read it. -#}
{% macro drop_unread(relation) %}
    {% do refuse_to_drop_readers(relation) %}
    {% do lock_briefly(relation) %}
    {% do adapter.drop_relation(relation) %}
{% endmacro %}

{#- The statements that grant again what other roles may do with a relation that is made again under its name. -#}
{% macro grants_on(relation) %}
    {% set query %}
        select coalesce(string_agg(
            format(
                'grant %s on %s to %s%s',
                a.privilege_type,
                {{ sql_text(relation) }},
                case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
                case when a.is_grantable then ' with grant option' else '' end
            ),
            '; ' order by a.grantee, a.privilege_type
        ), '') as statements
        from pg_class as c
        cross join aclexplode(c.relacl) as a
        where c.oid = {{ sql_text(relation) }}::regclass and a.grantee <> c.relowner
    {% endset %}
    {{ return(run_query(query).rows[0]['statements']) }}
{% endmacro %}
