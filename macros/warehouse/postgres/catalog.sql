{#- What PostgreSQL's catalog knows. -#}

{% macro postgres__readable_columns(table) %}
    {% if not execute %}{{ return({}) }}{% endif %}
    {% set relation = source('orgo', table) %}
    {% set query %}
        select
            a.attname as column_name,
            case
                when t.typtype = 'e' then 'enum'
                when t.typnamespace = 'pg_catalog'::regnamespace then format_type(a.atttypid, null)
                else 'user-defined'
            end as data_type
        from pg_attribute as a
        inner join pg_type as t on a.atttypid = t.oid
        where
            a.attrelid = to_regclass({{ sql_text(relation) }})
            and a.attnum > 0
            and not a.attisdropped
            and has_column_privilege(a.attrelid, a.attnum, 'select')
    {% endset %}
    {% set found = {} %}
    {% for row in run_query(query).rows %}
        {% do found.update({row['column_name']: row['data_type']}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}

{#- Whether a valid unique index rules out that two rows of a relation are equal in these columns, NULLs being equal. -#}
{% macro postgres__is_unique_by_index(relation, columns) %}
    {% if not execute %}{{ return(false) }}{% endif %}
    {% set query %}
        select exists (
            select 1
            from pg_index as i
            where
                i.indrelid = to_regclass({{ sql_text(relation) }})
                and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                and (
                    select
                        bool_and(a.attname = any(array['{{ columns | join("', '") }}']))
                        and (i.indnullsnotdistinct or bool_and(a.attnotnull))
                    from pg_attribute as a
                    where a.attrelid = i.indrelid and a.attnum = any(cast(i.indkey as smallint[]))
                )
        ) as is_unique
    {% endset %}
    {{ return(run_query(query).rows[0]['is_unique']) }}
{% endmacro %}

{% macro postgres__may_write(relation) %}
    {{ return(run_query(
        "select coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass(" ~ sql_text(relation) ~ "), 'insert'), false)"
    ).rows[0][0]) }}
{% endmacro %}

{% macro postgres__is_prepared() %}
    {% set ops = target.schema ~ '_ops' %}
    {% set query %}
        select
            to_regclass('{{ ops }}.load_log') is not null
            and to_regclass('{{ ops }}.former_rows') is not null
            and to_regprocedure('{{ ops }}.try_cast(text, anyelement)') is not null
            and to_regprocedure('{{ ops }}.purge_cutoff(text)') is not null
            and to_regprocedure('{{ ops }}.latest_as_of()') is not null
            and to_regprocedure('{{ ops }}.prove_claim(text, bigint)') is not null
            and to_regprocedure('{{ ops }}.opaque_id(text)') is not null
            and to_regprocedure('{{ ops }}.restrict_rows(regclass, text)') is not null
            and to_regprocedure('{{ ops }}.allow_exports(regclass, jsonb)') is not null
            and exists (select 1 from pg_roles where rolname = '{{ var("read_only_user") }}') as is_prepared
    {% endset %}
    {{ return(run_query(query).rows[0]['is_prepared']) }}
{% endmacro %}

{#- A relation that this project built has a comment that begins with its grain. -#}
{% macro postgres__foreign_relations(names) %}
    {% set query %}
        select string_agg(c.relname, ', ' order by c.relname) as found
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname = '{{ target.schema }}'
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and c.relname in ({{ sql_list(names) }})
            and coalesce(obj_description(c.oid, 'pg_class'), '') not like 'Grain:%'
    {% endset %}
    {{ return(run_query(query).rows[0]['found']) }}
{% endmacro %}

{#- The row as jsonb, so that no test asks the catalog. -#}
{% macro postgres__column_of_row(row, column, data_type) -%}
    cast(to_jsonb({{ row }}.*) ->> '{{ column }}' as {{ data_type }})
{%- endmacro %}

{% macro postgres__source_columns() -%}
    select
        c.relname as table_name,
        a.attname as column_name,
        case when t.typtype = 'e' then 'text' else format_type(a.atttypid, null) end as actual_type,
        has_column_privilege(c.oid, a.attnum, 'select') as is_readable
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    inner join pg_namespace as n on c.relnamespace = n.oid
    inner join pg_type as t on a.atttypid = t.oid
    where n.nspname = '{{ var("source_schema") }}' and a.attnum > 0 and not a.attisdropped
{%- endmacro %}
