{#- post-hook of the trends' report: writes down when its counts were made, and deletes what was kept of rows before that. -#}
{% macro forget_former_rows() %}
    {% if not is_empty_run() %}
    insert into {{ source('insights_ops', 'counted_reports') }} as counted (relation_name, counted_at)
    select
        '{{ model.name }}',
        load_log.logged_at
    from {{ source('insights_ops', 'load_log') }} as load_log
    where load_log.relation_name = 'int_monthly_trends'
    order by load_log.load_log_id desc
    limit 1
    on conflict (relation_name) do update set counted_at = excluded.counted_at;
    delete from {{ source('insights_ops', 'former_rows') }}
    where replaced_at < (
        select counted.counted_at from {{ source('insights_ops', 'counted_reports') }} as counted
        where counted.relation_name = '{{ model.name }}'
    )
    {% endif %}
{% endmacro %}
