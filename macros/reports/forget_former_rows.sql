{#- The reports that follow former_rows, each with the table that its counts are made in, itself or another. -#}
{% macro counted_reports() %}
    {{ return({
        'report_monthly_trends': 'int_monthly_trends',
        'report_sla_breaches': 'report_sla_breaches',
        'report_targets': 'report_targets',
        'report_task_backlog': 'report_task_backlog',
        'report_task_volume': 'report_task_volume',
    }) }}
{% endmacro %}

{#- When the report at hand was counted, as text; none where that is not known: before its first load, and after a reconciliation. -#}
{% macro counted_at() %}
    {% set query %}
        select cast(max(counted_at) as {{ type_of('text') }}) as counted_at from {{ source('insights_ops', 'counted_reports') }}
        where relation_name = '{{ model.name }}' and counted_at > {{ moment_of('-infinity') }}
    {% endset %}
    {{ return(fetched(query).rows[0].counted_at if execute else none) }}
{% endmacro %}

{#- post-hook of the reports that follow former_rows: writes down when the counts were made, and deletes what was kept of rows before each of
    these reports was counted, unless another report does so at this moment. A report that is made from the facts itself counts what was there when its transaction began. -#}
{% macro forget_former_rows() %}
    {% if not is_empty_run() and follows_changes() %}
    {%- set counted = counted_reports()[model.name] %}
    insert into {{ source('insights_ops', 'counted_reports') }} as counted (relation_name, counted_at)
    {%- if counted == model.name %}
    values ('{{ model.name }}', {{ current_moment() }})
    {%- else %}
    select
        '{{ model.name }}',
        load_log.logged_at
    from {{ source('insights_ops', 'load_log') }} as load_log
    where load_log.relation_name = '{{ counted }}'
    order by load_log.load_log_id desc
    limit 1
    {%- endif %}
    on conflict (relation_name) do update set counted_at = excluded.counted_at;
    {{ delete_unlocked(
        source('insights_ops', 'former_rows'),
        'former.replaced_at < (select min(reports.counted_at) from ' ~ source('insights_ops', 'counted_reports') ~ ' as reports)'
    ) }}
    {% endif %}
{% endmacro %}
