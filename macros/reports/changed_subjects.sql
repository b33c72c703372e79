{#- Which subjects of the monthly trends have changed, and their tasks (decisions D179 and D197). -#}

{#- The tasks of which a row, or their case's row, was changed since a moment. -#}
{% macro written_trend_tasks(since) -%}
    {%- set former_rows = source('insights_ops', 'former_rows') -%}
    select organization_id, id as task_id from {{ former_rows }}
    where relation_name in ('fact_tasks', 'dim_tasks') and replaced_at >= {{ moment_of(since) }}
    union distinct
    select dimensions.organization_id, dimensions.task_id
    from {{ former_rows }} as cases
    inner join {{ ref('dim_tasks') }} as dimensions
        on cases.id = dimensions.case_id and cases.organization_id = dimensions.organization_id
    where cases.relation_name = 'dim_cases' and cases.replaced_at >= {{ moment_of(since) }}
{%- endmacro %}

{#- The subjects in which a written task counts now and did not at that moment, or counted otherwise. -#}
{% macro changed_subjects(since) -%}
    {%- set written = 'select * from ' ~ temporary('written_tasks') -%}
    {%- set cases = 'select distinct organization_id, case_id from former_dimensions where case_id is not null' -%}
    with span as (
        {{ trend_span() }}
    ),

    former_facts as (
        {{ rows_as_of('fact_tasks', ref('fact_tasks'), 'task_id', since, written) }}
    ),

    former_dimensions as (
        {{ rows_as_of('dim_tasks', ref('dim_tasks'), 'task_id', since, written) }}
    ),

    former_cases as (
        {{ rows_as_of('dim_cases', ref('dim_cases'), 'case_id', since, cases) }}
    ),

    facts as (
        select stored.*
        from ({{ written }}) as written
        inner join {{ ref('fact_tasks') }} as stored
            on written.task_id = stored.task_id and written.organization_id = stored.organization_id
    ),

    former_tasks as ({{ trend_tasks('former_facts', 'former_dimensions', 'former_cases') }}),

    tasks as ({{ trend_tasks('facts', ref('dim_tasks'), ref('dim_cases')) }}),

    former_shares as ({{ trend_shares('former_tasks') }}),

    shares as ({{ trend_shares('tasks') }})

    select distinct
        organization_id,
        label_base,
        label_category,
        domain
    from (
        (select * from shares except select * from former_shares)
        union all
        (select * from former_shares except select * from shares)
    ) as changed
{%- endmacro %}

{#- The tasks of the changed subjects. A fact whose dimension is not loaded yet counts without label and domain. -#}
{% macro tasks_of_subjects() -%}
    select dimensions.organization_id, dimensions.task_id
    from {{ temporary('changed_trends') }} as changed
    inner join {{ ref('dim_tasks') }} as dimensions
        on
            changed.organization_id = dimensions.organization_id
            and changed.label_base = dimensions.label_base
            and changed.label_category = dimensions.label_category
            and coalesce(changed.domain, '') = coalesce({{ key_text('dimensions.type') }}, '')
    union all
    select dimensions.organization_id, dimensions.task_id
    from {{ temporary('changed_trends') }} as changed
    inner join {{ ref('dim_tasks') }} as dimensions
        on
            changed.organization_id = dimensions.organization_id
            and coalesce(changed.domain, '') = coalesce({{ key_text('dimensions.type') }}, '')
    where changed.label_base is null and dimensions.label_base is null
    union all
    select facts.organization_id, facts.task_id
    from {{ ref('fact_tasks') }} as facts
    where
        facts.organization_id in (
            select changed.organization_id from {{ temporary('changed_trends') }} as changed
            where changed.label_base is null and changed.domain is null
        )
        and not exists (
            select 1 from {{ ref('dim_tasks') }} as dimensions
            where dimensions.task_id = facts.task_id and dimensions.organization_id = facts.organization_id
        )
{%- endmacro %}
