{#- Tasks that were written since then may count otherwise than in the stored trends: those since the stored trends were computed. All
    of them (-infinity) when a month has ended since, when a month is missing because aggregated retention was shorter, when the report
    lacks a column of its model, and when the whole source is read again. -#}
{% macro trends_changed_since(stored) %}
    {% set query %}
        with former as (
            select
                logged_at,
                {{ first_of_month('horizon') }} as until
            from {{ source('insights_ops', 'load_log') }}
            where
                relation_name = 'int_monthly_trends'
                and load_log_id < (
                    select max(load_log_id) from {{ source('insights_ops', 'load_log') }} where relation_name = 'report_monthly_trends'
                )
            order by load_log_id desc
            limit 1
        ),

        -- Materialized, so that the functions of retention are not called for each task.
        span as materialized (
            {{ trend_span() }}
        )

        select cast(coalesce(max(former.logged_at), '-infinity') as text) as since
        from former
        cross join span
        where
            former.until = span.until
            and (
                select {{ first_of_month('min(created_date_key)') }} from {{ ref('fact_tasks') }}
                where {{ first_of_month('created_date_key') }} >= span.first_day and created_date_key < span.until
            ) >= (select min(trends.month) from {{ stored }} as trends where trends.month >= span.first_day)
    {% endset %}
    {%- set stored_columns = adapter.get_columns_in_relation(stored_mart('report_monthly_trends')) | map(attribute='name') | list -%}
    {%- set gained = graph.nodes['model.' ~ project_name ~ '.report_monthly_trends'].columns | reject('in', stored_columns) | list -%}
    {{ return('-infinity' if gained or var('scan_all', false) else run_query(query).rows[0]['since']) }}
{% endmacro %}
