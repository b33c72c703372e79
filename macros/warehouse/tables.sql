{#- dbt swaps a new table in under the name of the old one, which needs a lock that no reader shares: a reader idle in a transaction would
    stop the load, and every later reader would queue behind it. Here the rows are replaced in the table that exists, in one transaction;
    readers see the previous rows until it commits (decision D137). Only a table whose columns or indexes differ is swapped. -#}
{% materialization table, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set intermediate = make_intermediate_relation(target_relation) -%}
    {{ drop_relation_if_exists(load_cached_relation(intermediate)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, intermediate, sql) }}
    {% endcall %}
    {% do create_indexes(intermediate) %}
    {% if existing is not none and existing.is_table and is_alike(existing, intermediate) %}
        {% do run_query('delete from ' ~ existing) %}
        {% do run_query('insert into ' ~ existing ~ ' select * from ' ~ intermediate) %}
        {% do adapter.drop_relation(intermediate) %}
    {% else %}
        {% if existing is not none %}
            {% do lock_briefly(existing) %}
            {% do adapter.drop_relation(existing) %}
        {% endif %}
        {% do adapter.rename_relation(intermediate, target_relation) %}
    {% endif %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Whether two tables have the same columns in the same order, and the same indexes. -#}
{% macro is_alike(table, other) %}
    {% set query %}
        with shapes as (
            select
                t.name,
                array(
                    select format('%s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
                    from pg_attribute as a
                    where a.attrelid = t.name::regclass and a.attnum > 0 and not a.attisdropped
                    order by a.attnum
                ) as column_list,
                array(
                    select format('%s %s', i.indisprimary, regexp_replace(pg_get_indexdef(i.indexrelid), ' INDEX .*? USING ', ' '))
                    from pg_index as i
                    where i.indrelid = t.name::regclass
                    order by 1
                ) as index_list
            from (values ('{{ table }}'), ('{{ other }}')) as t (name)
        )

        select count(distinct (column_list, index_list)) = 1 as is_alike from shapes
    {% endset %}
    {{ return(run_query(query).rows[0]['is_alike']) }}
{% endmacro %}
