{#- The load whose tasks int_task_statuses has. Unit tests override it, since an overridden latest_load would reach data tests of the same run. -#}
{% macro load_of_statuses() -%}
    {{ latest_load('int_task_lifecycle') }}
{%- endmacro %}

{#- The id of a status: a hash of its task and its number. -#}
{% macro status_id(task_id, status_number) -%}
    {{ md5_uuid('cast(' ~ task_id ~ ' as ' ~ type_of('text') ~ ") || ' ' || cast(" ~ status_number ~ ' as ' ~ type_of('text') ~ ')') }}
{%- endmacro %}

{#- pre-hook of fact_task_statuses: keeps when the tasks of this load were open, where that changes, for the daily backlog (decision D215). The
    contents are a list of {started_at, ended_at}, or NULL for none. -#}
{% macro keep_former_statuses() %}
    {% if is_incremental() and not is_empty_run() and follows_changes() %}
    {%- set spans -%}
        {{ rows_as_json(['started_at', 'ended_at'], 'status_number', 'not is_closed') }}
    {%- endset %}
    insert into {{ source('insights_ops', 'former_rows') }} (relation_name, organization_id, id, contents)
    select
        '{{ model.name }}',
        organization_id,
        task_id,
        former.spans
    from (
        select
            organization_id,
            task_id,
            {{ spans }} as spans
        from {{ ref('int_task_statuses') }}
        group by organization_id, task_id
    ) as written
    full join (
        select
            organization_id,
            task_id,
            {{ spans }} as spans
        from {{ this }}
        where task_id in (select wanted.task_id from {{ ref('int_task_statuses') }} as wanted)
        group by organization_id, task_id
    ) as former using (organization_id, task_id)
    where
        written.spans is distinct from former.spans
        and {{ is_first_change(model.name, 'organization_id', 'task_id') }}
    {% endif %}
{% endmacro %}

{#- pre-hook of fact_task_statuses: deletes the last statuses of tasks of this load that have fewer now, because an event arrived late and
    another one therefore begins nothing, and all of a task that has moved to another organization. -#}
{% macro delete_lost_statuses() %}
    {% if is_incremental() %}
    {%- set counted %}(
        select
            organization_id,
            task_id,
            max(status_number) as status_count
        from {{ ref('int_task_statuses') }}
        group by organization_id, task_id
    ){% endset %}
    {{ delete_matching(
        this, 'former', counted, 'counted',
        'former.task_id = counted.task_id'
        ~ ' and (former.organization_id <> counted.organization_id or former.status_number > counted.status_count)'
    ) }}
    {% endif %}
{% endmacro %}

{#- The statuses of stored tasks that the source no longer has, for the first build: PENDING until the closing, then the current one. -#}
{% macro statuses_without_events() -%}
    {%- if is_incremental() or model.resource_type == 'unit_test' %}{{ return('') }}{% endif -%}
    union all
    select
        stored.organization_id,
        stored.task_id,
        {{ status_id('stored.task_id', 'known.status_number') }} as status_id,
        known.status_number,
        known.status,
        known.is_closed,
        false as is_reopening,
        known.started_at,
        known.ended_at,
        stored.visibility
    from {{ ref('dim_tasks') }} as stored
    {%- set closed_at = greatest_filled(['stored.closed_at', 'stored.created_at']) %}
    cross join {{ lateral() }} {{ rows_beside('known', ['status_number', 'status', 'is_closed', 'started_at', 'ended_at'], [
        ['1', "case when stored.closed_at is null then stored.current_status else 'PENDING' end", 'false', 'stored.created_at', closed_at],
        ['2', 'stored.current_status', 'true', closed_at, 'null'],
    ]) }}
    where
        (known.status_number = 1 or stored.closed_at is not null)
        and not exists (
            select 1
            from {{ ref('int_task_statuses') }} as changed
            where changed.task_id = stored.task_id and changed.organization_id = stored.organization_id
        )
{%- endmacro %}
