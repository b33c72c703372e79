{#- A load of the backlog adds what the changed tasks count as now, takes away what the report counts them as, and adds the new days of open
    tasks (decision D215). -#}

{#- The stored backlog: {relation, is_known, since, until, cutoff}. A load continues it if it `is_known` when it was counted, `since`, as which
    day was the first that it lacks, `until`, and that no purge has deleted tasks that it counts; otherwise the load counts every task and
    corrects the stored rows. None where there is nothing to continue or correct: in a first build, in a rebuild, and where no pre-hook runs. -#}
{% macro stored_backlog() %}
    {%- set stored = stored_or_none('report_task_backlog') -%}
    {%- if not execute or not stored or not keeps_changed_keys() or var('rebuild', false) or flags.FULL_REFRESH -%}
        {{- return(none) -}}
    {%- endif -%}
    {% set query %}
        select
            cast(load_log.logged_at as text) as since,
            cast(load_log.horizon as text) as until,
            cast(load_log.cutoff as text) as cutoff
        from {{ source('insights_ops', 'load_log') }} as load_log
        inner join {{ source('insights_ops', 'counted_reports') }} as counted on load_log.logged_at = counted.counted_at
        where
            load_log.relation_name = 'int_task_backlog'
            and counted.relation_name = 'report_task_backlog'
            and load_log.cutoff >= {{ purge_cutoff('raw_event') }}
    {% endset %}
    {%- set found = run_query(query).rows -%}
    {%- if not found %}{{ return({'relation': stored, 'is_known': false}) }}{% endif -%}
    {{- return({'relation': stored, 'is_known': true, 'since': found[0].since, 'until': found[0].until, 'cutoff': found[0].cutoff}) -}}
{% endmacro %}

{#- pre-hook: keeps the tasks that count otherwise than in the stored backlog as pg_temp.backlog_tasks until the transaction ends. They have
    changed, or come to or leave the days that are counted. An open task that has not changed is in each new day. -#}
{% macro keep_backlog_tasks() %}
    {%- if not execute %}{% do [source('insights_ops', 'former_rows'), source('insights_ops', 'counted_reports')] %}{% endif -%}
    {%- set stored = stored_backlog() -%}
    {%- if not stored or not stored.is_known %}{{ return('') }}{% endif -%}
    create temporary table backlog_tasks on commit drop as
    select organization_id, id as task_id from {{ source('insights_ops', 'former_rows') }}
    where relation_name in ('dim_tasks', 'fact_task_statuses') and replaced_at >= '{{ stored.since }}'
    union
    {{ rows_of_days(ref('dim_tasks'), 'task_id', 'found.created_at >= ' ~ utc_midnight("date '" ~ stored.until ~ "'")) }}
    union
    {{ rows_of_days(
        ref('dim_tasks'),
        'task_id',
        'found.created_at >= ' ~ utc_midnight("date '" ~ stored.cutoff ~ "'")
        ~ ' and found.created_at < (select load.cutoff from (' ~ load_of_backlog() ~ ') as load)'
    ) }}
    union
    {{ rows_of_days(ref('fact_task_statuses'), 'task_id', "found.started_date_key >= date '" ~ stored.until ~ "'") }};
    analyze pg_temp.backlog_tasks
{% endmacro %}

{#- A select of organization_id and `column` of the rows of a relation that meet a condition on their moment, as `found`. The index on both
    begins with the organization, so each organization is looked up in it: the next one is that of the next key of the index. -#}
{% macro rows_of_days(relation, column, condition) -%}
    (
        with recursive organizations as (
            (select organization_id from {{ relation }} order by organization_id limit 1)
            union all
            select (
                select following.organization_id from {{ relation }} as following
                where following.organization_id > organizations.organization_id
                order by following.organization_id
                limit 1
            ) as organization_id
            from organizations
            where organizations.organization_id is not null
        )

        select
            found.organization_id,
            found.{{ column }}
        from organizations
        inner join {{ relation }} as found on organizations.organization_id = found.organization_id
        where {{ condition }}
    )
{%- endmacro %}
