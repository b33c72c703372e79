{#- A load of the backlog adds what the changed tasks count as now, and takes away what the report counts them as (decision D243). -#}

{#- The stored backlog: {is_known, since, until, cutoff}. A load continues it if these are known (`is_known`): when it was counted
    (`since`), the first day that it lacks (`until`), and that no purge has deleted tasks that it counts; otherwise the load counts every task and
    corrects the stored rows. None where there is nothing to continue or correct: in a first build, in a rebuild, and where no pre-hook runs. -#}
{% macro stored_backlog() %}
    {%- if not is_incremental() or is_empty_run() or not keeps_changed_keys() -%}{{- return(none) -}}{%- endif -%}
    {% set query %}
        select
            cast(counted.counted_at as {{ type_of('text') }}) as since,
            cast(load_log.horizon as {{ type_of('text') }}) as until,
            cast(load_log.cutoff as {{ type_of('text') }}) as cutoff,
            counted.counted_at > {{ moment_of('-infinity') }} and load_log.cutoff >= {{ purge_cutoff('raw_event') }} as is_known
        from {{ source('insights_ops', 'load_log') }} as load_log
        inner join {{ source('insights_ops', 'counted_reports') }} as counted on load_log.relation_name = counted.relation_name
        where load_log.relation_name = '{{ model.name }}' and {{ follows_changes() }}
        order by load_log.load_log_id desc
        limit 1
    {% endset %}
    {%- set found = fetched(query).rows -%}
    {{- return(found[0] if found else {'is_known': false}) -}}
{% endmacro %}

{#- pre-hook: keeps the tasks that count otherwise than in the stored backlog as the temporary table backlog_tasks until the transaction ends. They have
    changed, come to or leave the days that are counted, or are open and reach another band of age on a day that the report lacks. -#}
{% macro keep_backlog_tasks() %}
    {%- if not execute %}{% do [source('insights_ops', 'former_rows'), source('insights_ops', 'counted_reports')] %}{% endif -%}
    {%- set stored = stored_backlog() -%}
    {%- if not stored or not stored.is_known %}{{ return('') }}{% endif -%}
    {%- set until = "date '" ~ stored.until ~ "'" -%}
    {%- set load = '(select {} from (' ~ load_of_backlog() ~ ') as load)' -%}
    {%- set changed -%}
    select organization_id, id as task_id from {{ source('insights_ops', 'former_rows') }}
    where relation_name in ('dim_tasks', 'fact_task_statuses') and replaced_at >= {{ moment_of(stored.since) }}
    union distinct
    {{ rows_of_days(ref('dim_tasks'), 'task_id', 'found.created_at >= ' ~ utc_midnight(until)) }}
    union distinct
    {{ rows_of_days(
        ref('dim_tasks'),
        'task_id',
        'found.created_at >= ' ~ utc_midnight("date '" ~ stored.cutoff ~ "'") ~ ' and found.created_at < ' ~ load.format('load.cutoff')
    ) }}
    {%- for name, first, last in age_bands() if first > 0 %}
    union distinct
    {{ rows_of_days(
        ref('dim_tasks'),
        'task_id',
        'found.created_at >= ' ~ utc_midnight(until ~ ' - ' ~ first)
        ~ ' and found.created_at < ' ~ load.format(utc_midnight(utc_date('load.horizon') ~ ' - ' ~ first))
        ~ ' and found.closed_at is null'
    ) }}
    {%- endfor %}
    union distinct
    {{ rows_of_days(ref('fact_task_statuses'), 'task_id', 'found.started_date_key >= ' ~ until) }}
    {%- endset -%}
    {{ keep_temporarily('backlog_tasks', changed) }}
{% endmacro %}

{#- pre-hook: keeps the spans that differ from the stored ones as the temporary table backlog_spans, and deletes those that have another end or number
    now, or are none any more, in the transaction that writes the others. A count of all tasks joins by hash: the planner cannot know how
    many rows a CTE has. -#}
{% macro replace_backlog_spans() %}
    {%- set stored = stored_backlog() -%}
    {%- if not stored or not stored.is_known %}
    {{ hash_joins_only() ~ ';' if hash_joins_only() | trim }}
    {%- endif %}
    {%- if stored %}
    {{ keep_temporarily('backlog_spans', changed_backlog_spans(stored)) }};
    {{ delete_matching(this, 'former', temporary('backlog_spans'), 'changed', is_same_span('former', 'changed')) }}
    {%- endif %}
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
