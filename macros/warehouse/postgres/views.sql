{#- dbt replaces a view by dropping the old one, together with every dependent view that the run did not select. Here a view is replaced
    in place, so that dependent views and grants survive. Only a view with other columns is dropped, unless views of others read it.
    Replacing needs a lock that no reader shares, so a view with the same query stays as it is. -#}
{% materialization view, adapter='postgres' %}
    {% if not orgo_insights.is_own(model) %}{{ return(dbt.materialization_view_default()) }}{% endif %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {#- A pre-hook drops the views over a function whose columns changed, which dbt's cache does not know. -#}
    {%- set existing = load_cached_relation(this) if is_stored(this) else none -%}
    {%- set was_view = existing is not none and existing.is_view -%}
    {%- set is_same = was_view and not has_another_select(existing, sql) -%}
    {%- set grants = grants_on(existing) if was_view and not is_same else '' -%}
    {% if existing is not none and not was_view %}{% do drop_unread(existing) %}{% endif %}
    {% if was_view and not is_same %}
        {% do lock_briefly(existing) %}
        {% if has_other_columns(existing, sql) %}{% do drop_unread(existing) %}{% endif %}
    {% endif %}
    {% call statement('main') %}
        {%- if is_same %} select 'the view is the same'
        {%- else %} create or replace view {{ target_relation }} as ({{ sql }})
        {%- endif %}
    {% endcall %}
    {% if grants %}{% do run_query(grants) %}{% endif %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Whether a relation is in the database now, whatever dbt's cache holds. -#}
{% macro is_stored(relation) %}
    {{ return(run_query('select to_regclass(' ~ sql_text(relation) ~ ') is not null as is_stored').rows[0]['is_stored']) }}
{% endmacro %}

{#- Whether a select does not begin with the columns of a view, so that it cannot replace the view's. -#}
{% macro has_other_columns(view, sql) %}
    {% set query %}
        create or replace temporary view another_select as {{ sql }};
        select exists (
            select from pg_attribute as stored
            left join pg_attribute as a
                on
                    a.attrelid = 'pg_temp.another_select'::regclass
                    and stored.attnum = a.attnum and stored.attname = a.attname
                    and (stored.atttypid, stored.atttypmod, stored.attcollation) = (a.atttypid, a.atttypmod, a.attcollation)
            where stored.attrelid = {{ sql_text(view) }}::regclass and stored.attnum > 0 and a.attnum is null
        ) as is_other;
    {% endset %}
    {% set is_other = run_query(query).rows[0]['is_other'] %}
    {% do run_query('drop view pg_temp.another_select') %}
    {{ return(is_other) }}
{% endmacro %}
