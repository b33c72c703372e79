{#- dbt swaps a new table in under the name of the old one, which needs a lock that no reader shares: a reader idle in a transaction would
    stop the load, and every later reader would queue behind it. A swap also drops the views of others that read the table, their grants
    and its place in publications. Here the rows are replaced in the table that exists, in one transaction; readers see the previous rows
    until it commits (decision D137). -#}
{% materialization table, adapter='postgres' %}
    {% if not orgo_insights.is_own(model) %}{{ return(dbt.materialization_table_default()) }}{% endif %}
    {{ return(rewrite_table(load_cached_relation(this))) }}
{% endmaterialization %}

{#- An incremental table that is built from nothing again is rewritten too, and replaces a view of its name. One that stays gets the indexes
    that its model gained; the rest is dbt's own. -#}
{% materialization incremental, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {% if orgo_insights.is_own(model) and existing is not none and (should_full_refresh() or not existing.is_table) %}
        {{ return(rewrite_table(existing)) }}
    {% endif %}
    {% if orgo_insights.is_own(model) and existing is not none %}{% do add_missing_indexes(existing) %}{% endif %}
    {{ return(dbt.materialization_incremental_default()) }}
{% endmaterialization %}

{#- Builds the model into an intermediate table, then brings the stored table to the same columns, indexes and rows. -#}
{% macro rewrite_table(existing) %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set made = make_intermediate_relation(target_relation) -%}
    {{ drop_relation_if_exists(load_cached_relation(made)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, made, sql) }}
    {% endcall %}
    {% do create_indexes(made) %}
    {% if existing is not none and existing.is_table %}
        {% do replace_rows(existing, made) %}
        {% do adapter.drop_relation(made) %}
    {% else %}
        {% if existing is not none %}{% do drop_unread(existing) %}{% endif %}
        {% do adapter.rename_relation(made, target_relation) %}
    {% endif %}
    {#- Comments before grants: an automatic ANALYZE that has the lock comments need waits for the end of a transaction that granted. -#}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmacro %}

{#- Gives a table the rows of another. Where its columns and indexes differ, they are changed first, and every row is written again;
    otherwise the rows of a table with a key are written that differ. -#}
{% macro replace_rows(table, made) %}
    {% set columns = get_columns_in_relation(made) | map(attribute='quoted') | list %}
    {% set changes = run_query(changes_of_table(table, made)).rows %}
    {% if changes | length %}{% do lock_briefly(table) %}{% endif %}
    {% do identify_rows(table) %}
    {% if key_columns() and not changes | length %}{{ return(replace_other_rows(table, made, columns)) }}{% endif %}
    {% do run_query('delete from ' ~ table) %}
    {% for change in changes if change['is_before'] %}
        {% if change['read_column'] is not none %}{% do drop_readers(table, change['read_column']) %}{% endif %}
        {% do run_query(change['statement']) %}
    {% endfor %}
    {% do run_query('insert into ' ~ table ~ ' (' ~ columns | join(', ') ~ ') select ' ~ columns | join(', ') ~ ' from ' ~ made) %}
    {% for change in changes if not change['is_before'] %}{% do run_query(change['statement']) %}{% endfor %}
{% endmacro %}

{#- Deletes the rows that another table does not have, and inserts those that only the other has. -#}
{% macro replace_other_rows(table, made, columns) %}
    {#- The planner would sort both tables by their keys, or compare all rows of an organization with each other. -#}
    {% set replacement = replacement_of_rows(table, made, columns, model) %}
    {% set replacement = ['set local enable_mergejoin = off'] + replacement + ['set local enable_mergejoin to default'] %}
    {% call statement('replace_other_rows') %}{{ replacement | join(';') }}{% endcall %}
{% endmacro %}

{#- The two statements of `replace_other_rows`. Arrays of a NULL are equal, and unlike `is not distinct from` they can be hashed: otherwise
    each row would be compared with each other. -#}
{% macro replacement_of_rows(table, made, columns, node) %}
    {% set filled = filled_columns(node) %}
    {% set is_same_key %}
        {%- for column in key_of_node(node) %}
        {%- set form = '%s' if column in filled else 'array[%s]' %}
        {{ 'and ' if not loop.first }}{{ form | format('stored.' ~ column) }} = {{ form | format('made.' ~ column) }}
        {%- endfor %}
    {% endset %}
    {% set deletion %}
        delete from {{ table }} as stored
        where not exists (
            select 1 from {{ made }} as made
            where
                {{ is_same_key }}
                and row(stored.{{ columns | join(', stored.') }}) is not distinct from row(made.{{ columns | join(', made.') }})
        )
    {% endset %}
    {% set insertion %}
        insert into {{ table }} ({{ columns | join(', ') }})
        select {{ columns | join(', ') }} from {{ made }} as made
        where not exists (select 1 from {{ table }} as stored where {{ is_same_key }})
    {% endset %}
    {{ return([deletion, insertion]) }}
{% endmacro %}
