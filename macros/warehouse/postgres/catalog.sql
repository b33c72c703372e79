{#- What PostgreSQL's catalog knows. -#}

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
            and to_regclass('{{ ops }}.releases') is not null
            and to_regclass('{{ ops }}.former_rows') is not null
            and to_regclass('{{ ops }}.publications') is not null
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

{% macro postgres__is_serving() %}{{ return('exists (select 1 from ' ~ target.schema ~ '_ops.publications)') }}{% endmacro %}

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
