{#- Locks a relation that is to be replaced, for the rest of the transaction. Each attempt waits a quarter of a second, so that readers
    that queue behind it wait no longer; the last one fails and names the sessions that hold the relation. LOCK TABLE takes no materialized
    view, and locks what a view reads as well, so those get their present owner again, which changes nothing and takes the same lock. -#}
{% macro lock_briefly(relation) %}
    {% do run_query(brief_lock(relation)) %}
{% endmacro %}

{#- The statement of `lock_briefly`. -#}
{% macro brief_lock(relation) %}
    {% set statement %}
        do $lock$
        declare
            former text := current_setting('lock_timeout');
            holders text;
        begin
            for attempt in 1..{{ var('swap_attempts') }} loop
                begin
                    set local lock_timeout = '250ms';
                    {% if relation.is_table %}
                    lock table {{ relation }} in access exclusive mode;
                    {% else %}
                    alter {{ 'materialized view' if relation.is_materialized_view else 'view' }} {{ relation }} owner to current_user;
                    {% endif %}
                    perform set_config('lock_timeout', former, true);
                    return;
                exception when lock_not_available then
                    perform pg_sleep(1);
                end;
            end loop;
            select
                string_agg(
                    distinct format('process %s (%s, %s%s)', a.pid, a.usename, a.application_name, ', in a transaction since ' || a.xact_start::timestamptz(0)),
                    ', '
                )
            into holders
            from pg_locks as l
            inner join pg_stat_activity as a on l.pid = a.pid
            where l.relation = {{ sql_text(relation) }}::regclass and l.granted and l.pid <> pg_backend_pid();
            raise exception using
                errcode = 'lock_not_available',
                message = format(
                    '%s has other columns or another query now and must be replaced, but another session reads it: %s.',
                    {{ sql_text(relation) }}, coalesce(holders, 'unknown')
                ),
                hint = 'Let that transaction end, or end its session with pg_terminate_backend; then run the load again.';
        end
        $lock$
    {% endset %}
    {{ return(statement) }}
{% endmacro %}

{#- dbt calls this when the source of a snapshot has gained columns. -#}
{% macro postgres__create_columns(relation, columns) %}
    {% if columns and orgo_insights.is_own(model) %}{% do lock_briefly(relation) %}{% endif %}
    {% do default__create_columns(relation, columns) %}
{% endmacro %}

{#- dbt calls this when an incremental model has gained columns. -#}
{% macro postgres__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
    {% if orgo_insights.is_own(model) and (add_columns or remove_columns) %}{% do lock_briefly(relation) %}{% endif %}
    {% do default__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
{% endmacro %}
