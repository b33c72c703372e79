{#- A load of a report compares what changed tasks count as with what they counted as when the stored report was counted. Loads keep what they
    change of the rows that decide that, until each of these reports has been loaded (decisions D197 and D215). -#}

{#- The relations that decide where a report counts a task, each with the columns that do, as expressions over a row of its delta table. The
    statuses of a task, which decide too, are kept by keep_former_statuses. -#}
{% macro counted_columns() %}
    {{ return({
        'fact_tasks': {
            'created_date_key': utc_date('written.created_at'),
            'closed_date_key': utc_date('written.closed_at'),
            'severity': 'written.severity',
            'visibility': 'written.visibility',
            'time_to_first_response_seconds': 'written.time_to_first_response_seconds',
            'time_to_completion_seconds': 'written.time_to_completion_seconds',
        },
        'dim_tasks': {
            'case_id': 'written.case_id',
            'label_base': 'written.label_base',
            'label_category': 'written.label_category',
            'type': 'written.type',
            'severity': 'written.severity',
            'visibility': 'written.visibility',
            'created_at': 'written.created_at',
            'closed_at': 'written.closed_at',
            'deadline_at': 'written.deadline_at',
        },
        'dim_cases': {
            'location': 'written.location',
            'visibility': 'written.visibility',
            'opened_at': 'written.opened_at',
        },
    }) }}
{% endmacro %}

{#- pre-hook of these relations: keeps the rows that this load changes, in the transaction that changes them; a row that is new has no
    contents. `delta` holds the rows that this load writes. -#}
{% macro keep_former_rows(delta) %}
    {% if is_incremental() and not is_empty_run() and follows_changes() %}
    {%- set id = key_columns() | reject('equalto', 'organization_id') | first %}
    {%- set columns = counted_columns()[model.name] %}
    {%- set contents %}
        {{ row_as_json('former', columns) }}
    {%- endset %}
    insert into {{ source('insights_ops', 'former_rows') }} (relation_name, organization_id, id, contents)
    select
        '{{ model.name }}',
        changed.organization_id,
        changed.id,
        changed.contents
    from (
        select
            written.organization_id,
            written.{{ id }} as id,
            case when former.{{ id }} is not null then {{ contents }} end as contents
        from {{ delta }} as written
        left join {{ this }} as former on written.{{ id }} = former.{{ id }} and written.organization_id = former.organization_id
        where
            former.{{ id }} is null
            or row(former.{{ columns | join(', former.') }}) is distinct from row({{ columns.values() | join(', ') }})
        union all
        -- Rows that moved to another organization are deleted.
        select
            former.organization_id,
            former.{{ id }} as id,
            {{ contents }} as contents
        from {{ delta }} as written
        inner join {{ this }} as former on written.{{ id }} = former.{{ id }} and {{ is_foreign('former', 'written') }}
    ) as changed
    where {{ is_first_change(model.name, 'changed.organization_id', 'changed.id') }}
    {% endif %}
{% endmacro %}

{#- Whether a report has counted a row of a relation that nothing has been kept of since: what was kept earlier is older, and stays. -#}
{% macro is_first_change(name, organization_id, id) -%}
    {%- set computed -%}
        (
            select max(load_log.logged_at) from {{ source('insights_ops', 'load_log') }} as load_log
            where load_log.relation_name in ('{{ counted_reports().values() | join("', '") }}')
        )
    {%- endset -%}
    {{ computed }} is not null
        and not exists (
            select 1 from {{ source('insights_ops', 'former_rows') }} as kept
            where
                kept.relation_name = '{{ name }}'
                and kept.organization_id = {{ organization_id }}
                and kept.id = {{ id }}
                and kept.replaced_at >= {{ computed }}
        )
{%- endmacro %}
