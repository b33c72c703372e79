{#- dbt replaces a view by dropping the old one, together with every dependent view that the run did not select. Here a view is replaced
    in place, so that dependent views survive unless its columns changed. Replacing needs a lock that no reader shares, so a view with the
    same query stays as it is. -#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {% if existing is not none and not existing.is_view %}{% do adapter.drop_relation(existing) %}{% endif %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- set is_same = existing is not none and existing.is_view and not has_another_select(existing, sql) -%}
    {% if existing is not none and existing.is_view and not is_same %}{% do lock_briefly(existing) %}{% endif %}
    {% call statement('main') %}
        do $view$
        begin
            if {{ is_same }} then
                return;
            end if;
            create or replace view {{ target_relation }} as (
                {{ sql }}
            );
        exception when invalid_table_definition then
            drop view {{ target_relation }} cascade;
            create view {{ target_relation }} as (
                {{ sql }}
            );
        end
        $view$
    {% endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
