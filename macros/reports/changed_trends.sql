{#- A load of the monthly trends recomputes those of the subjects whose tasks have changed (decision D179). A subject is an organization's
    label base, category and domain. -#}

{#- pre-hook: keeps the subjects to recompute as pg_temp.changed_trends until the transaction ends. -#}
{% macro keep_changed_trends() %}
    {%- set stored = stored_trends() -%}
    {%- if not stored or not execute or not keeps_changed_keys() %}{{ return('') }}{% endif -%}
    {%- set since = trends_changed_since(stored) -%}
    create temporary table changed_trends on commit drop as
    select
        facts.organization_id,
        {{ trend_subject('dimensions') }}
    from {{ ref('fact_tasks') }} as facts
    left join {{ ref('dim_tasks') }} as dimensions
        on facts.task_id = dimensions.task_id and facts.organization_id = dimensions.organization_id
    where facts.loaded_at >= '{{ since }}'
    union
    select
        organization_id,
        {{ trend_subject('dimensions') }}
    from {{ ref('dim_tasks') }} as dimensions
    where loaded_at >= '{{ since }}'
    union
    select
        dimensions.organization_id,
        {{ trend_subject('dimensions') }}
    from {{ ref('dim_cases') }} as cases
    inner join {{ ref('dim_tasks') }} as dimensions
        on cases.case_id = dimensions.case_id and cases.organization_id = dimensions.organization_id
    where cases.loaded_at >= '{{ since }}'
    union
    {{ stored_subjects(stored) if since == '-infinity' else miscounted_subjects(stored) }};
    analyze pg_temp.changed_trends
{% endmacro %}

{#- Whether a row belongs to a subject that is recomputed. Every row does in a first load, and where no pre-hook runs. -#}
{% macro is_changed_trend(row, organization=none) -%}
    {%- if not stored_trends() or not execute or not keeps_changed_keys() %}{{ return('true') }}{% endif -%}
    (
        {{ organization or row ~ '.organization_id' }},
        coalesce({{ row }}.label_base, -1),
        coalesce({{ row }}.label_category, -1),
        coalesce({{ row }}.domain, '')
    ) in (
        select
            changed.organization_id,
            coalesce(changed.label_base, -1),
            coalesce(changed.label_category, -1),
            coalesce(changed.domain, '')
        from pg_temp.changed_trends as changed
    )
{%- endmacro %}

{#- The subject of a task, from its dimension. -#}
{% macro trend_subject(dimensions) -%}
    {{ dimensions }}.label_base,
        {{ dimensions }}.label_category,
        {{ key_text(dimensions ~ '.type') }} as domain
{%- endmacro %}

{#- Every subject with stored trends. -#}
{% macro stored_subjects(stored) -%}
    select
        organization_id,
        label_base,
        label_category,
        domain
    from {{ stored }} as trends
{%- endmacro %}
