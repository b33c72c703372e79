{#- What earlier reviews left behind that cases depend on. Both come from sources, not refs: they are built from the cases. -#}

{#- One row per stored review that lists a case: case_id, cadence, review_date. `condition` narrows the rows of the reviews. Only
    reviews that a load of an earlier day made are known: two loads of one day find the same. -#}
{% macro stored_review_cases(condition='true') -%}
    {%- set made_reviews = ref('made_reviews') -%}
    {%- for cadence in review_cadences() -%}
        {%- set stored = if_stored(stored_mart('pattern_' ~ cadence)) -%}
        {%- if stored %}
    select
        '{{ cadence }}' as cadence,
        review_date,
        unnest(case_ids) as case_id
    from {{ stored }}
    where
        {{ condition }}
        and review_date in (
            select made.review_date from {{ made_reviews }} as made
            where made.cadence = '{{ cadence }}' and made.as_of < date '{{ as_of() }}'
        )
    union
        {%- endif -%}
    {%- endfor %}
    select
        null as cadence,
        cast(null as date) as review_date,
        cast(null as uuid) as case_id
    where false
{%- endmacro %}

{#- The ids of the cases that Insights asked for (decision D5), whatever their metadata says by now. -#}
{% macro asked_case_ids() -%}
    {%- set outbox = if_stored(source('previous_load_ops', 'review_requests')) -%}
    {%- if outbox -%} select case_id from {{ outbox }}
    {%- else -%} select cast(null as uuid) as case_id where false
    {%- endif -%}
{%- endmacro %}
