{#- The columns of a relation, as dbt-postgres gives them but for two things: it reports the type of every array as ARRAY, which neither a
    cast nor `add column` accepts, and it reads a view over the columns of all relations, which takes ten times as long.

    The macros of this project call dbt's macro `get_columns_in_relation`, which calls this one: the method of the adapter makes all macros
    again for each call. -#}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            a.attname as column_name,
            case
                when t.typelem <> 0 and t.typlen = -1 then substr(t.typname, 2) || '[]'
                when t.typnamespace = 'pg_catalog'::regnamespace then format_type(t.oid, null)
                else 'USER-DEFINED'
            end as data_type,
            information_schema._pg_char_max_length(t.oid, m.modifier) as character_maximum_length,
            information_schema._pg_numeric_precision(t.oid, m.modifier) as numeric_precision,
            information_schema._pg_numeric_scale(t.oid, m.modifier) as numeric_scale
        from pg_class as c
        inner join pg_attribute as a on c.oid = a.attrelid
        inner join pg_type as declared on a.atttypid = declared.oid
        cross join lateral (
            select
                case when declared.typtype = 'd' then declared.typbasetype else declared.oid end as type_id,
                case when declared.typtype = 'd' then declared.typtypmod else a.atttypmod end as modifier
        ) as m
        inner join pg_type as t on m.type_id = t.oid
        where
            c.relname = {{ orgo_insights.sql_text(relation.identifier) }}
            {%- if relation.schema %}
            and c.relnamespace = to_regnamespace(quote_ident({{ orgo_insights.sql_text(relation.schema) }}))
            {%- endif %}
            and c.relkind in ('r', 'v', 'f', 'p')
            and a.attnum > 0
            and not a.attisdropped
            and (pg_has_role(c.relowner, 'usage') or has_column_privilege(c.oid, a.attnum, 'select, insert, update, references'))
        order by a.attnum
    {% endcall %}
    {{- return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) -}}
{%- endmacro %}

{#- pre-hook: drops columns that a former release stored in this incremental table; dbt adds columns to it, but drops none. A view of others
    that reads such a column stops the load, and the message names it. -#}
{% macro postgres__drop_former_columns(columns) %}
    {%- if not execute or not is_incremental() %}{{ return('') }}{% endif -%}
    {%- set stored = get_columns_in_relation(this) | map(attribute='name') | select('in', columns) | list -%}
    {%- if not stored %}{{ return('') }}{% endif -%}
    {%- do lock_briefly(this.incorporate(type='table')) -%}
    alter table {{ this }} drop column {{ stored | join(', drop column ') }}
{% endmacro %}
