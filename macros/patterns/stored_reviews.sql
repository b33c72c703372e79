{#- Results of earlier reviews that cases depend on. They are read from sources, not refs, because they are built from the cases. -#}

{#- One row per case and stored review that lists it: cadence, review_date, organization_id, case_id. `condition` filters the stored
    reviews. Reviews made by loads of the same day are left out, so that two loads of one day give the same result. -#}
{% macro stored_review_cases(condition='true') -%}
    {%- set made_reviews = ref('made_reviews') -%}
    {%- for cadence in review_cadences() -%}
        {%- set stored = if_stored(stored_mart('pattern_' ~ cadence)) -%}
        {%- if stored %}
    select
        '{{ cadence }}' as cadence,
        review_date,
        organization_id,
        {{ unnested('case_ids', 'uuid') }} as case_id
    from {{ stored }} {{ beside_unnested('case_ids') }}
    where
        {{ condition }}
        and review_date in (
            select made.review_date from {{ made_reviews }} as made
            where made.cadence = '{{ cadence }}' and made.as_of < date '{{ as_of() }}'
        )
    union distinct
        {%- endif -%}
    {%- endfor %}
    select
        null as cadence,
        cast(null as date) as review_date,
        cast(null as {{ type_of('uuid') }}) as organization_id,
        cast(null as {{ type_of('uuid') }}) as case_id
    from (select 1 as one) as nothing
    where false
{%- endmacro %}

{#- The organizations and ids of the cases that Insights requested (decision D5), whatever their metadata says now. -#}
{% macro requested_case_ids() -%}
    {%- set outbox = if_stored(source('previous_load_ops', 'review_requests')) -%}
    {%- if outbox -%} select organization_id, case_id from {{ outbox }}
    {%- else -%} select cast(null as {{ type_of('uuid') }}) as organization_id, cast(null as {{ type_of('uuid') }}) as case_id from (select 1 as one) as nothing where false
    {%- endif -%}
{%- endmacro %}
