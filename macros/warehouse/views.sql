{#- dbt replaces a view by dropping the old one, together with every dependent view that the run did not select. Here a view is replaced
    in place, so that dependent views survive unless its columns changed. -#}
{% materialization view, adapter='postgres' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {% if existing is not none and not existing.is_view %}{% do adapter.drop_relation(existing) %}{% endif %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') %}
        do $view$
        begin
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
