{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key=['organization_id', 'person_id'],
    pre_hook=[
        "{{ drop_former_columns(['full_name', 'external_reference']) }}",
        "{{ delete_moved_rows(ref('stg_person_profiles')) }}"
    ]
) }}
{{- guard_history() }}

with persons as (
    select * from {{ ref('stg_person_profiles') }}
    where person_id not in ({{ rejected_rows('person_profiles') }})
),

needs as (
    select
        organization_id,
        person_id
    from {{ ref('int_person_needs') }}
    where last_needed_on >= {{ purge_cutoff('raw_event') }}
),

-- Persons that a check-in refers to, but that are rejected or that the source does not have (decision D132).
persons_of_checkins as (
    select
        checkins.person_id,
        cast(min(cast(checkins.organization_id as {{ type_of('text') }})) as {{ type_of('uuid') }}) as organization_id,
        coalesce(min(source_rows.confidentiality_level), 'sensitive') as confidentiality_level
    from {{ ref('fact_wellbeing_checkins') }} as checkins
    left join {{ ref('stg_person_profiles') }} as source_rows on checkins.person_id = source_rows.person_id
    where checkins.person_id not in (select persons.person_id from persons)
    group by checkins.person_id
),

final as (
    select
        person_id,
        organization_id,
        confidentiality_level,
        false as is_gone
    from persons
    -- A purged person returns only when a new row refers to them (decision D8).
    where
        created_at >= {{ utc_midnight(purge_cutoff('raw_event')) }}
        {%- if is_incremental() %}
        or exists (
            select 1
            from {{ this }} as former
            where former.person_id = persons.person_id and former.organization_id = persons.organization_id
        )
        {%- endif %}
        or {{ is_among(['organization_id', 'person_id'], 'select needs.organization_id, needs.person_id from needs') }}
    union all
    select
        person_id,
        organization_id,
        confidentiality_level,
        true as is_gone
    from persons_of_checkins
    {%- if is_incremental() %}
    where
        not exists (
            select 1
            from {{ this }} as former
            where former.person_id = persons_of_checkins.person_id
        )
    {%- endif %}
    {%- if is_incremental() %}
    union all
    -- A person deleted from the source keeps the id that facts refer to and is no longer in personal_persons (decision D8).
    select
        person_id,
        organization_id,
        confidentiality_level,
        true as is_gone
    from {{ this }} as former
    where
        not exists (
            select 1
            from {{ ref('stg_person_profiles') }} as source_rows
            where source_rows.person_id = former.person_id
        )
    {%- endif %}
)

{{ only_changed('final') }}
