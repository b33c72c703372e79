{#- Tasks that were written since then may count otherwise than in the stored trends: when those were computed, as text. -infinity, for all
    tasks, when that is not known, when a month has ended since, when a month is missing because aggregated retention was shorter, when the
    report lacks a column of its model, and when the whole source is read again. -#}
{% macro trends_changed_since(stored) %}
    {% set query %}
        with former as (
            select
                load_log.logged_at,
                {{ first_of_month('load_log.horizon') }} as until
            from {{ source('insights_ops', 'load_log') }} as load_log
            inner join {{ source('insights_ops', 'counted_reports') }} as counted on load_log.logged_at = counted.counted_at
            where load_log.relation_name = 'int_monthly_trends' and counted.relation_name = 'report_monthly_trends'
        ),

        span as {{ cte_materialized() }} (
            {{ trend_span() }}
        ),

        -- The oldest month of each organization is found through an index.
        oldest as (
            select
                min(facts.month) as of_facts,
                min(trends.month) as of_trends
            from {{ ref('stg_organizations') }} as organizations
            cross join span
            left join lateral (
                select {{ first_of_month('fact_tasks.created_date_key') }} as month
                from {{ ref('fact_tasks') }} as fact_tasks
                where
                    fact_tasks.organization_id = organizations.organization_id
                    and fact_tasks.created_date_key >= {{ first_of_month('span.first_day - 1') }} + interval '1 month'
                    and fact_tasks.created_date_key < span.until
                order by fact_tasks.created_date_key
                limit 1
            ) as facts on true
            left join lateral (
                select stored.month
                from {{ stored }} as stored
                where stored.organization_id = organizations.organization_id and stored.month >= span.first_day
                order by stored.month
                limit 1
            ) as trends on true
        )

        select cast(coalesce(max(former.logged_at), '-infinity') as {{ type_of('text') }}) as since
        from former
        cross join span
        cross join oldest
        where former.until = span.until and oldest.of_facts >= oldest.of_trends
    {% endset %}
    {%- set stored_columns = column_names(stored_mart('report_monthly_trends')) -%}
    {%- set gained = graph.nodes['model.' ~ project_name ~ '.report_monthly_trends'].columns | reject('in', stored_columns) | list -%}
    {{ return('-infinity' if gained or var('scan_all', false) else fetched(query).rows[0]['since']) }}
{% endmacro %}
