{#- The days of which the report counts more tasks, or fewer, than there are: a task that was purged, deleted or moved leaves no other
    trace. Days are compared only where an organization's number of tasks differs, or the sum of their days or of its squares: only
    tasks that change places with each other leave all three as they were, and those are written. -#}
{% macro miscounted_days() -%}
    select
        organization_id,
        day
    from (
        with miscounted as (
            select coalesce(facts.organization_id, report.organization_id) as organization_id
            from ({{ sums_of_days(ref('fact_tasks'), 'created_date_key', '1') }}) as facts
            full join ({{ sums_of_days(this, 'day', 'task_count') }}) as report on facts.organization_id = report.organization_id
            where
                not {{ same_row(
                    columns_of('facts', ['task_count', 'days', 'squares']), columns_of('report', ['task_count', 'days', 'squares'])
                ) }}
        ),

        facts as ({{ tasks_by_day(ref('fact_tasks'), 'created_date_key', '1') }}),

        report as ({{ tasks_by_day(this, 'day', 'task_count') }})

        select
            coalesce(facts.organization_id, report.organization_id) as organization_id,
            coalesce(facts.day, report.day) as day
        from facts
        full join report on facts.organization_id = report.organization_id and facts.day = report.day
        where facts.task_count is distinct from report.task_count
    ) as compared
{%- endmacro %}

{#- The number of tasks by day, of the organizations in `miscounted`, from a relation in which a row counts `tasks` of them. -#}
{% macro tasks_by_day(relation, day, tasks) -%}
            select
                organization_id,
                {{ day }} as day,
                sum({{ tasks }}) as task_count
            from {{ relation }}
            where organization_id in (select miscounted.organization_id from miscounted)
            group by organization_id, {{ day }}
{%- endmacro %}

{#- The number of tasks of each organization, the sum of the days they were created on, and that of the squares of these. -#}
{% macro sums_of_days(relation, day, tasks) -%}
    {%- set number = '(' ~ day ~ " - date '2000-01-01')" -%}
                select
                    organization_id,
                    sum({{ tasks }}) as task_count,
                    sum(cast({{ tasks }} as bigint) * {{ number }}) as days,
                    sum(cast({{ tasks }} as bigint) * {{ number }} * {{ number }}) as squares
                from {{ relation }}
                group by organization_id
{%- endmacro %}
