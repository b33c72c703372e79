{#- The columns of the operational tables in PostgreSQL. -#}

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

{% macro postgres__identifies_rows(relation, column) %}
    {% set query %}
        select exists (
            select 1
            from pg_index as i
            inner join pg_attribute as a on i.indrelid = a.attrelid and i.indkey[0] = a.attnum
            where
                i.indrelid = to_regclass({{ sql_text(relation) }})
                and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1
                and a.attname = '{{ column }}' and a.attnotnull
        ) as is_unique
    {% endset %}
    {{ return(run_query(query).rows[0]['is_unique']) }}
{% endmacro %}
