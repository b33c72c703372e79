{#- Subjects of which the stored trends count more openings, or fewer, than there are tasks: a task that moved to another subject left them,
    and nothing else shows which subject that was. Months whose openings are kept are not compared. -#}
{% macro miscounted_subjects(stored) -%}
    select
        organization_id,
        label_base,
        label_category,
        domain
    from (
        with span as (
            {{ trend_span() }}
        ),

        -- Read once, and not for each half of `openings`.
        kept as materialized (
            select distinct
                trends.organization_id,
                trends.month
            from {{ stored }} as trends
            cross join span
            where trends.opened_oldest_date < span.cutoff
        ),

        openings as (
            select
                organization_id,
                {{ trend_subject('dimensions') }},
                {{ first_of_month(utc_date('created_at')) }} as month,
                1 as opened
            from {{ ref('dim_tasks') }} as dimensions
            union all
            select
                organization_id,
                label_base,
                label_category,
                domain,
                month,
                - opened as opened
            from {{ stored }} as trends
            where opened <> 0
        )

        select openings.*
        from openings
        cross join span
        where
            openings.month >= span.first_day
            and openings.month < span.until
            and (openings.organization_id, openings.month) not in (select kept.organization_id, kept.month from kept)
    ) as compared
    group by organization_id, label_base, label_category, domain
    having sum(opened) <> 0 or sum(opened * (month - date '2000-01-01')) <> 0
{%- endmacro %}
